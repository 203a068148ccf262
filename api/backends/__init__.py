"""What answers need: the stores, the way to the writer, and who counts and keeps out."""
