"""Recorded histories of every path, replayed against today's code."""
