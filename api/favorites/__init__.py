"""What people keep in mind."""
