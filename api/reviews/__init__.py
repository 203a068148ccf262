"""What people say of sellers."""
