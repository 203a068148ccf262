"""Answers about notifications: what somebody was told, what of it they have seen, and how they want it."""
