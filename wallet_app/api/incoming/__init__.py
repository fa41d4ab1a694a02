"""What requests say: JSON, queries, headers, schemas."""
