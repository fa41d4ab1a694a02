"""Small classes with a bug each, for the README."""
