"""What may happen to people, their sessions and their claim on an e-mail."""
