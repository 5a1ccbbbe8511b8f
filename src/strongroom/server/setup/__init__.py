"""Making a server: its data folder, keys, certificates, catalog, vault and first administrator."""
