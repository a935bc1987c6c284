"""Backtests: the workflow itself over recorded facts."""
