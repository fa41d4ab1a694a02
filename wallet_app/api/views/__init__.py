"""One file for each feature: read, call one use case, write."""
