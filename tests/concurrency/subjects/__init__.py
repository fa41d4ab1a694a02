"""Code as people write it, to be explored: twelve wallets, nine of them with a bug, and
three other things with a bug each."""
