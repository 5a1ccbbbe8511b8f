"""What agent and server both need of a snapshot: cutting, filling blocks, writing and reading trees."""
