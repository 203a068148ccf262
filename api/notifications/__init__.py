"""Notifications: what the caller is told of, what of it they have seen, and how they want it."""
