"""Answers about listings."""
