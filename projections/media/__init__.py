"""Answers about what people upload."""
