"""The world outside the process: the bank, and the receivers of webhooks."""
