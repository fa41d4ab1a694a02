"""Attacks on a running server, over HTTP only, and a table of what held."""
