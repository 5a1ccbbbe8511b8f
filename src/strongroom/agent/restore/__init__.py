"""The agent's half of a restore: what a snapshot holds is written back, and nothing else is touched.

The story, file by file: `run` is the restore as a paragraph; `spool` keeps the listing on disk; `aim` says where each
path of the snapshot goes; `plan` decides entry by entry what is to be done there (`judge` holds the conflict modes);
`fetch` gets the chunks ahead of time and verifies them; `place` writes; `folders` holds the opened folders that all
writing is relative to.
"""
