"""What may happen to reviews, to what sellers respond, and to votes on them."""
