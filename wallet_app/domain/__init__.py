"""Values: what the service is about. No lock, no I/O, no HTTP."""
