"""The wire between agent and server: versions, endpoints, messages and frames (docs/protocol.md).

Why: both sides must mean the same by the same bytes, and neither may see the other's code.
Promises: strict decoding; an unknown version is refused politely; every message is a typed value.
Does not: open connections (agent.link does) or answer requests (server.gateway does).
"""
