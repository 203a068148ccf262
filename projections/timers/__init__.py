"""Timers: what is due when, derived from what has happened."""
