"""Bookings of items, as the two people of each see them."""
