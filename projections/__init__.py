"""What is remembered for reading: one file per answer, grouped by context."""
