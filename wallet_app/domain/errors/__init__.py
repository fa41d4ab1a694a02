"""All refusals: one class each, in the file of its subject."""
