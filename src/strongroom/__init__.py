"""Strongroom: self-hosted backup for file servers.

Three programs share this package.
The *server* owns policy, schedule, catalog and vault; the *agent* runs on each file server, dials out and
carries orders through; the *command line* is a client of the server's API.
Only the server touches storage, index and snapshots; an agent holds no storage credential and has no verb that deletes.

The rooms, and who may import whom, are drawn in docs/architecture.md; the import contracts in pyproject.toml hold
the code to it.
"""

__version__ = "0.1.0"
