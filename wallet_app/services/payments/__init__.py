"""Deposits and withdrawals with the bank."""
