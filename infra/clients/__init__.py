"""The servers, as their clients see them."""
