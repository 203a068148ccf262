"""Saved searches and alerts."""
