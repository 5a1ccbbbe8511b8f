"""The resident agent: connect, wait for orders, carry them out, report.

`loop` keeps the stream of orders open and the heartbeat going; `jobs` knows which jobs run, each in its own thread;
`carry_out` is one job from its order to its final report; `job_events` is what a job says meanwhile.
"""

from strongroom.agent.service.loop import run

__all__ = ["run"]
