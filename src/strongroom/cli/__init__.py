"""The command line: thin, one module per noun, a client of the REST API."""
