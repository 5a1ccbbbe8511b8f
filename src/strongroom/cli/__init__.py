"""The command line: thin, one module per noun, a client of the REST API.

Only `server` and `agent` open local things; all else goes through `client.py`.
Exit codes: 0 done, 1 done with errors, 2 wrong use, 3 failed.
"""
