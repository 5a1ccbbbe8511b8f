"""A loopback that a test can look into while it works: a look at a job costs a request here, not a process.

Whatever a person would do is done through the command line, by real processes; only looking on goes by the API.
No test asserts on time: a wait ends when what is waited for is there, or with the test's own time limit.
"""

import time

from strongroom.cli.client import Access, Client
from strongroom.errors import Unavailable
from strongroom.testing.loopback import Loopback

OPEN = {"queued", "waiting_for_agent", "running"}
POLL_S = 0.05


class Site(Loopback):
    """One server and its hosts."""

    _client = None

    @property
    def api(self):
        """The API, as the local administrator."""
        if self._client is None:
            token, authority = (self.data / name for name in ("local-admin.token", "ca.pem"))
            self._client = Client(Access(self.url, token.read_text().strip(), authority.read_text()))
        return self._client

    def wait_connected(self, name="host", *, connected=True):
        """Wait until the server sees the host as connected, or as gone; looked at without a process for each look."""

        def seen():
            try:
                hosts = self.api.fetch_all("hosts")
            except Unavailable:
                return False
            return any((host["name"], host["connected"]) == (name, connected) for host in hosts)

        self._wait_until(seen, f"agent-{name}" if connected else "server", "connect" if connected else "notice")

    def protect(self, name, *paths, host="host", options=()):
        """Make a backup set; return it."""
        includes = [word for path in paths for word in ("--include", str(path))]
        return self.cli("set", "create", name, "--host", host, *includes, *options)

    def back_up(self, name, *, expect=0):
        """Back a set up to the end, which must have this exit code; return the job."""
        return self.cli("backup", name, "--wait", expect=(expect,))

    def begin(self, name):
        """Request a backup and return the job as it is then."""
        return self.cli("backup", name)

    def restore(self, snapshot, *words, expect=0):
        """Restore to the end, which must have this exit code; return the job."""
        return self.cli("restore", snapshot, *words, "--wait", expect=(expect,))

    def job(self, job):
        """Look at a job, given as it once was."""
        return self.api.fetch("jobs", job["id"])

    def missed(self, job):
        """Give the list of a job's missed files: path and reason."""
        return {file["path"]: file["reason"] for file in self.api.fetch_all("jobs", job["id"], "missed")}

    def when(self, job, is_so):
        """Wait until a job is as wished; a job that has ended otherwise fails the test. Return it."""
        while not is_so(seen := self.job(job)):
            assert seen["state"] in OPEN, seen
            time.sleep(POLL_S)
        return seen

    def ended(self, job):
        """Wait until a job is closed; return it."""
        while (seen := self._look(job)) is None or seen["state"] in OPEN:
            time.sleep(POLL_S)
        return seen

    def _look(self, job):
        """Look at a job, if the server is there."""
        try:
            return self.job(job)
        except Unavailable:
            return None

    def until(self, is_so):
        """Wait for something; the test's own time limit ends a wait in vain."""
        while not is_so():
            time.sleep(POLL_S)

    def said(self):
        """Give all that the processes have said so far."""
        return "".join(log.read_text("utf-8", "replace") for log in sorted(self.folder.glob("*.log")))


class SiteWithNetwork(Site):
    """A site whose hosts reach the server through a network that can be slow, cut or gone."""

    def __init__(self, folder, network, **options):
        super().__init__(folder, **options)
        self.network = network
        network.leads_to = self.port

    def start_server(self):
        """Have the server say that it is to be reached through the network."""
        if not self.data.exists():
            self.run("server", "init", "--data", str(self.data), expect=(0,))
            (self.data / "server.toml").write_text(f'url = "https://127.0.0.1:{self.network.port}"\n')
        super().start_server()


def write_noise(path, size, seed=0):
    """Write bytes that neither compress nor repeat; the same for the same seed."""
    block = 1 << 20
    noise = int.from_bytes(b"strongroom", "big") + seed
    with open(path, "wb") as file:
        file.writelines(_noise(noise, start // block, min(block, size - start)) for start in range(0, size, block))


def _noise(seed, number, size):
    """Give one block of noise."""
    from blake3 import blake3  # noqa: PLC0415

    return blake3(f"{seed} {number}".encode()).digest(length=size)
