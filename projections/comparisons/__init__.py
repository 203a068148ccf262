"""Answers about comparisons: what somebody compares, and who is shown what they compared."""
