"""Recovery points on Linux: frozen views of btrfs, ZFS and thin LVM volumes for as long as a backup reads them (W6).

How a point is made (`points.py`), step by step; docs/adr/0049 has the reasons:

1. `survey.py` asks which mounts the include paths lie on, and which more are mounted beneath them: the *areas*.
2. Each area goes to the *freezer* of its file system (`btrfs.py`, `zfs.py`, `lvm.py`); the rest stays live, with a why.
3. A freezer writes down what it is about to make (`records.py`, durable), makes it, and shows a folder of it.
4. `stage.py` puts these folders where the live ones stand, in a mount namespace that only this job has: every path in
   the listing stays the real one, and nothing but the snapshot itself can outlive the agent.
5. Each area is looked at through that view before the scan uses it.
6. Released in reverse, whatever happened; what a crash left is deleted by its record, at the start and before each job.

Promises: nothing is deleted that is not in the records *and* carries this agent's own id in its name.
Does not: walk a file system; freeze what has no way to be frozen.
"""
