"""What the server does by the clock."""
