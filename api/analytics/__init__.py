"""Figures about listings."""
