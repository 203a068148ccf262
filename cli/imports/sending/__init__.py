"""Bringing commands to the writer, and telling what became of each row."""
