"""What may happen to listings."""
