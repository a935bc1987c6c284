"""Tests of every room, against real servers."""
