"""Figures about what happened."""
