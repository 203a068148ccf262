"""What is remembered of items: something offered on a campus."""
