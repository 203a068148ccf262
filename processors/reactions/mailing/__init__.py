"""Mails: whom they go to, and the events that lead to them."""
