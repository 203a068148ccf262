"""What the containers need beyond the processes themselves."""
