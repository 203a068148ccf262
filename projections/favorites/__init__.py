"""Answers about favourites: whose they are, how many a listing has, and who is shown them."""
