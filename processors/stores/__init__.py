"""Where rows are kept: one port, three stores."""
