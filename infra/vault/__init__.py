"""Personal data, and the keys without which nobody reads it."""
