"""Migrations of the catalog, in order; each is one step from one release to the next."""
