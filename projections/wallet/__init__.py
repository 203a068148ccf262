"""Answers about tokens: how many somebody has, and how that came to be."""
