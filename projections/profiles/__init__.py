"""Answers about what people tell of themselves and how they want things."""
