"""What we ask of an operating system, one file per system."""
