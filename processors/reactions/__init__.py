"""What follows from events: commands, and effects outside the log."""
