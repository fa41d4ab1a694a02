"""Wallets as people write them, to be examined: nine have a bug, three are right."""
