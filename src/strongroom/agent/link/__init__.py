"""The link to the server: the only place in the agent that speaks HTTP (docs/protocol.md).

`transport` makes one attempt; `patience` says how long to go on trying; `link` has the verbs; `wire_sink` and
`wire_source` are what a backup and a restore see of it.
"""
