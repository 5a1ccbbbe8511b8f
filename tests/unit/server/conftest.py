"""The inside of a server, for the tests of this folder that ask for it."""

from tests.inside import agent, job_id, server

__all__ = ["agent", "job_id", "server"]
