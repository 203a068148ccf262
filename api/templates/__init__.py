"""Templates of mails, for admins: what they say, how it looks, and what is said in their stead."""
