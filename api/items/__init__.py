"""What is offered on a campus."""
