"""People and programs that use the server: who they are, and the record of what they did."""
