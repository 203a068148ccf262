"""Accounts: joining, proving who one is, sessions, keys, and going away."""
