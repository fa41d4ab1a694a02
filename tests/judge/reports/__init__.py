"""What a run found, in words, JSON, JUnit, HTML and side by side."""
