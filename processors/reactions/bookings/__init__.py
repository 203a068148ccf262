"""What follows from bookings, and what they follow."""
