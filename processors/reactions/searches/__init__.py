"""What follows from saved searches: what their alerts find, and when people are told of it."""
