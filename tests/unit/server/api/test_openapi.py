"""The API describes itself: every call and every body, and no fact that a read model gives is lost on the way."""

import pytest

from strongroom.server import views
from strongroom.server.api import hosts, jobs, sets, snapshots, tokens, vault
from strongroom.server.upkeep.check import vault_stats


@pytest.fixture
def described(api):
    return api.get("openapi.json")


def test_every_call_is_described(described):
    assert described["openapi"].startswith("3.")
    for path, methods in described["paths"].items():
        assert path.startswith("/api/v1/")
        for operation in methods.values():
            assert operation["summary"]
            assert operation["description"].endswith(".")
            assert operation["tags"]
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_every_body_is_described_and_strict(described):
    schemas = described["components"]["schemas"]
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for methods in described["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    assert set(bodies) == {"Login", "NewToken", "NewSet", "RestoreWish", "CheckWish"}
    for body in bodies:
        assert schemas[body]["additionalProperties"] is False
        assert schemas[body]["description"]


def test_both_ways_to_log_in_are_described(described):
    kinds = {scheme["type"] for scheme in described["components"]["securitySchemes"].values()}
    assert kinds == {"http", "apiKey"}


def test_what_read_models_give_is_shown_in_full(api, server, agent):
    api.post("tokens", {}, status=201)
    job = api.post("sets/docs/backup", status=201)
    agent.orders()
    agent.back_up(job["id"], {"a": b"content"})
    shown = {
        tokens.Token: views.activation_tokens()[0],
        hosts.HostWithSets: views.host("files"),
        sets.Set: views.backup_set("docs"),
        jobs.JobWithLog: views.job(job["id"]),
        jobs.Estimate: views.job(job["id"])["estimate"],
        jobs.Transfer: views.job(job["id"])["transfer"],
        snapshots.Snapshot: views.snapshots()[0],
        vault.Stats: vault_stats(),
    }
    for shape, given in shown.items():
        assert set(shape.model_fields) == set(given), shape
