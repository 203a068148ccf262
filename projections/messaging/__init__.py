"""Conversations and their messages, sealed as their senders left them."""
