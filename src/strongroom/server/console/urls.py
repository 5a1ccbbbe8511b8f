"""The console's paths."""

from __future__ import annotations

from django.urls import path, register_converter

from strongroom.server.console import hosts, jobs, restores, session, sets, snapshots, static


class Number:
    """The number of a set or a job in a path: no more digits than the catalog can hold."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        """Return it as a number."""
        return int(value)

    def to_url(self, value: int) -> str:
        """Return it as digits."""
        return str(value)


class SnapshotId:
    """A snapshot's id, or how it begins, in a path."""

    regex = "[0-9a-f]{6,32}"

    def to_python(self, value: str) -> str:
        """Return it as it stands."""
        return value

    def to_url(self, value: str) -> str:
        """Return it as it stands."""
        return value


register_converter(Number, "number")
register_converter(SnapshotId, "snapshot")

urlpatterns = [
    path("login", session.log_in_page, name="login"),
    path("logout", session.log_out_page, name="logout"),
    path("static/<path:name>", static.serve, name="static"),
    path("", hosts.overview, name="overview"),
    path("hosts", hosts.host_list, name="hosts"),
    path("hosts/add", hosts.add_host, name="add_host"),
    path("hosts/<str:host_id>", hosts.host_page, name="host"),
    path("hosts/<str:host_id>/revoke", hosts.revoke, name="revoke_host"),
    path("sets", sets.set_list, name="sets"),
    path("sets/add", sets.add_set, name="add_set"),
    path("sets/<number:set_id>", sets.set_page, name="set"),
    path("sets/<number:set_id>/backup", sets.back_up_now, name="back_up_now"),
    path("jobs", jobs.job_list, name="jobs"),
    path("jobs/<number:job_id>", jobs.job_page, name="job"),
    path("jobs/<number:job_id>/cancel", jobs.cancel, name="cancel_job"),
    path("jobs/<number:job_id>/missed", jobs.missed_page, name="missed"),
    path("jobs/<number:job_id>/missed.tsv", jobs.missed_download, name="missed_download"),
    path("snapshots/<snapshot:snapshot_id>", snapshots.browse, name="snapshot"),
    path("snapshots/<snapshot:snapshot_id>/restore", restores.restore_page, name="restore"),
]
