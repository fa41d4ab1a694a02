"""The API description."""
