"""What people compare."""
