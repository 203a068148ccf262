"""Commands that start, stop and prepare processes."""
