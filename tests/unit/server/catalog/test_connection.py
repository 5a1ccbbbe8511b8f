"""The catalog's connections: durable settings, one file after another, no connection left behind by a thread."""

import subprocess
import sys
import threading

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models import ProtectedError

from strongroom.server.catalog import models
from strongroom.server.catalog.connection import bring_up_to_date, catalog_thread
from strongroom.testing.small_server import small_server


def test_a_commit_is_durable_and_readers_do_not_wait(tmp_path):
    with small_server(tmp_path), connection.cursor() as cursor:
        names = ("journal_mode", "synchronous", "foreign_keys")
        said = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_migrations_are_what_the_models_say(tmp_path):
    with small_server(tmp_path):
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_bringing_it_up_to_date_twice_changes_nothing(tmp_path):
    with small_server(tmp_path):
        models.NextOrdinal.objects.update(value=7)
        bring_up_to_date()
        assert models.NextOrdinal.objects.get().value == 7


def test_one_server_after_another_has_its_own_facts(tmp_path):
    (tmp_path / "b").mkdir()
    with small_server(tmp_path) as server:
        server.agent()
    with small_server(tmp_path / "b"):
        assert models.Host.objects.count() == 0


def test_a_threads_connection_is_closed_when_it_ends(tmp_path):
    seen = []

    def work():
        with catalog_thread():
            models.Host.objects.count()
            seen.append(connections["default"])

    with small_server(tmp_path):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen[0].connection is None


def test_writers_wait_for_each_other_and_lose_nothing(tmp_path):
    def count_up():
        with catalog_thread():
            for _ in range(20):
                with transaction.atomic():
                    row = models.NextOrdinal.objects.get()
                    models.NextOrdinal.objects.update(value=row.value + 1)

    with small_server(tmp_path):
        before = models.NextOrdinal.objects.get().value
        threads = [threading.Thread(target=count_up) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert models.NextOrdinal.objects.get().value == before + 80


KILLED = """
import os, sys
from pathlib import Path
from strongroom.server.catalog import models
from strongroom.server.catalog.connection import use_catalog
from django.db import transaction
use_catalog(Path(sys.argv[1]), secret_key="x", host_names=())
with transaction.atomic():
    models.NextOrdinal.objects.update(value=41)
try:
    with transaction.atomic():
        models.NextOrdinal.objects.update(value=42)
        os.kill(os.getpid(), 9)
finally:
    os.kill(os.getpid(), 9)
"""


def test_a_kill_leaves_what_was_committed_and_nothing_half_done(tmp_path):
    with small_server(tmp_path) as server:
        done = subprocess.run([sys.executable, "-c", KILLED, str(server.folder.catalog)], check=False)
        assert done.returncode == -9
        assert models.NextOrdinal.objects.get().value == 41


def test_a_job_cannot_lose_its_set_or_host(tmp_path):
    with small_server(tmp_path) as server:
        agent = server.agent()
        server.make_set(agent)
        server.back_up()
        with pytest.raises(ProtectedError):
            agent.host.delete()
