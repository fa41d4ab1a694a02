"""One call after the other: what the exercise says."""
