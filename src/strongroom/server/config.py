"""The server's settings, and where things lie in its data folder.

Promises: every key of `server.toml` stands here with its default; the file need not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from strongroom import settings

DEFAULT_DATA = Path("/var/lib/strongroom")


@dataclass(frozen=True)
class ServerConfig:
    """What `server.toml` may say.

    Args:
        url: how hosts and people reach this server; worked out from the listening address when empty.
        names: further names and addresses that the server's certificate is for.
        lease_s: a running job of which nothing is heard for so long is given up.
        silence_s: a host of which nothing is heard for so long counts as away.
        backups_per_host: how many backups may run on one host at once.
        access_token_s: how long an agent's access token is good for.
        log_level, log_json: what is logged, and whether as JSON.
    """

    url: str = ""
    names: tuple[str, ...] = ()
    lease_s: int = 300
    silence_s: int = 15
    backups_per_host: int = 2
    access_token_s: int = 900
    log_level: str = "INFO"
    log_json: bool = False


@dataclass(frozen=True)
class DataFolder:
    """The server's data folder; each property is where one thing lies."""

    path: Path

    @property
    def settings(self) -> Path:
        """Settings, optional."""
        return self.path / "server.toml"

    @property
    def root_key(self) -> Path:
        """The root key; without it nobody can read the vault."""
        return self.path / "root.key"

    @property
    def authority_certificate(self) -> Path:
        """The certificate of our own authority."""
        return self.path / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's private key."""
        return self.path / "ca.key"

    @property
    def server_certificate(self) -> Path:
        """The server's certificate and, after it, the authority's."""
        return self.path / "server.pem"

    @property
    def server_key(self) -> Path:
        """The server's private key."""
        return self.path / "server.key"

    @property
    def catalog(self) -> Path:
        """The database."""
        return self.path / "catalog.sqlite3"

    @property
    def vault(self) -> Path:
        """The vault's storage."""
        return self.path / "vault"

    @property
    def secret_key(self) -> Path:
        """What Django signs sessions with."""
        return self.path / "secret.key"

    @property
    def local_token(self) -> Path:
        """The local administrator's API token: who may read it needs no login. Written last when a folder is made."""
        return self.path / "local-admin.token"

    @property
    def address(self) -> Path:
        """Where the running server listens, as JSON; written at each start."""
        return self.path / "server.json"

    def config(self) -> ServerConfig:
        """Read the settings.

        Raises:
            Mistake: a key is unknown or has a wrong value.
        """
        return settings.load(ServerConfig, self.settings)


def default_data_folder() -> DataFolder:
    """Return the folder that `STRONGROOM_DATA` names, or the usual one."""
    return DataFolder(Path(settings.environment("DATA", str(DEFAULT_DATA))))
