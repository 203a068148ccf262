"""Channels by which people are told something outside of the shop: mail, SMS, push."""
