"""What may happen to somebody's notifications, and when a channel tells of them."""
