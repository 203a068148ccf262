"""How people show who they are."""
