"""What whoever runs the shop asks: whether it is well, what it measures, who did what."""
