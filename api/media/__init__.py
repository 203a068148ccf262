"""Pictures, in and out."""
