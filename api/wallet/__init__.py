"""Tokens that people have."""
