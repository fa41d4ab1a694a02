"""The HTTP side: each view reads, calls one use case, and writes."""
