"""What an answer and a request look like, whatever they are about."""
