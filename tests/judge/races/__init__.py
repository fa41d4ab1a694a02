"""Rounds of calls that are made at once."""
