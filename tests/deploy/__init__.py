"""Tests of the ways to run Partner Rollouts."""
