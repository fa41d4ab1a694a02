"""The proof that the books balance."""
