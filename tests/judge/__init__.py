"""Judges a wallet server over HTTP, whoever wrote it and in whatever language."""
