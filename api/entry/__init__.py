"""From a request to a route and from there to a command: who calls, what they may, and how long it may take."""
