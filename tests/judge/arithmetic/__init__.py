"""What answers and balances prove, from numbers alone."""
