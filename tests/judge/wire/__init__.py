"""How a server is spoken to: requests out, answers in."""
