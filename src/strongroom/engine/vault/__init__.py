"""The store itself, on the server only: it verifies, seals, indexes, commits and checks."""
