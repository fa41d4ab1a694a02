"""Judges a wallet server over HTTP, in whatever language it is written."""
