"""What sellers offer at a price, its past, and finding it."""
