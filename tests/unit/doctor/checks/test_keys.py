"""AUTH-1 to AUTH-5: the keys of clients, engines and providers."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from tests.unit.doctor.scenes import TODAY, Machine, found, offer, severities

from isthmus.domain.offer import SecretRef
from isthmus.domain.principal import Key, Principal
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.store import Store

LONG = "kX9vB2mQ7rT4wZ8nL3pD6hJ1"


def key(name: str = "k", *, secret: str = LONG, user: str | None = None, expires: datetime | None = None) -> Key:
    return Key(
        name=name, hash=sha256(secret.encode()).digest(), principal=Principal(user=user, key=name), expires=expires
    )


def test_a_key_from_an_example_is_told_by_its_hash(machine: Machine) -> None:
    (finding,) = found("AUTH-1", machine.scene(settings=machine.settings(keys=[key(secret="sk-1234")])))
    assert (finding.subject, finding.severity) == ("key k", None)
    assert "sk-1234" not in f"{finding}"


def test_a_random_key_is_fine(machine: Machine) -> None:
    assert found("AUTH-1", machine.scene(settings=machine.settings(keys=[key()]))) == []


@pytest.mark.parametrize(("value", "severity"), [("EMPTY", "high"), ("short-one-1", "warn")])
def test_a_weak_key_of_an_own_engine_is_told_and_not_shown(machine: Machine, value: str, severity: str) -> None:
    one = offer("gpu", side="own", provider="vllm", key=SecretRef("env", "GPU_KEY"))
    scene = machine.scene(settings=machine.settings(one, keys=[key()]), environ={"GPU_KEY": value})
    assert severities("AUTH-1", scene) == [severity]
    assert value not in f"{found('AUTH-1', scene)}"


def test_a_strong_key_of_an_engine_and_one_that_is_elsewhere_are_fine(machine: Machine) -> None:
    secret = machine.folder / "key"
    secret.write_text(f"{LONG}\n")
    offers = [
        offer("a", side="own", key=SecretRef("file", str(secret))),
        offer("b", side="own", key=SecretRef("env", "NOT_SET")),
        offer("c", side="own", key=SecretRef("keyring", "c")),
        offer("d", key=SecretRef("env", "SHORT")),
    ]
    scene = machine.scene(settings=machine.settings(*offers, keys=[key()]), environ={"SHORT": "vendor's own"})
    assert found("AUTH-1", scene) == []


def test_no_key_at_all_on_a_machine_of_ones_own_is_worth_knowing(machine: Machine) -> None:
    assert severities("AUTH-1", machine.scene()) == ["info"]


def test_one_key_for_everybody_is_told_where_others_ask(machine: Machine) -> None:
    shared = machine.settings(bind="0.0.0.0", keys=[key("team")])
    assert [finding.subject for finding in found("AUTH-2", machine.scene(settings=shared))] == ["key team"]


@pytest.mark.parametrize("keys", [[key("a"), key("b", secret=LONG[::-1])], [key("a", user="ann")], []])
def test_keys_of_persons_are_fine(machine: Machine, keys: list[Key]) -> None:
    assert found("AUTH-2", machine.scene(settings=machine.settings(bind="0.0.0.0", keys=keys))) == []
    assert found("AUTH-2", machine.scene(settings=machine.settings(keys=[key("only")]))) == []


def test_that_no_key_has_a_limit_is_told_where_others_ask_for_what_costs_money(machine: Machine) -> None:
    paid, free = offer("gpt"), offer("home", side="own")
    told = machine.settings(paid, free, bind="0.0.0.0", keys=[key()])
    assert [finding.subject for finding in found("AUTH-3", machine.scene(settings=told))] == ["offers gpt"]
    for fine in (machine.settings(paid, keys=[key()]), machine.settings(free, bind="0.0.0.0", keys=[key()])):
        assert found("AUTH-3", machine.scene(settings=fine)) == []


def test_an_old_key_without_an_end_is_told(machine: Machine) -> None:
    KeyStore(Store(f"sqlite:///{machine.store}")).add("old")
    now = datetime.now(UTC).date()
    assert found("AUTH-4", machine.scene(today=now)) == []
    (finding,) = found("AUTH-4", machine.scene(today=now + timedelta(days=400)))
    assert "400 days ago" in finding.found


def test_a_key_with_an_end_or_a_revoked_one_is_never_old(machine: Machine) -> None:
    store = KeyStore(Store(f"sqlite:///{machine.store}"))
    store.add("ends", expires=datetime.now(UTC) + timedelta(days=800))
    store.add("gone")
    store.revoke("gone")
    assert found("AUTH-4", machine.scene(today=datetime.now(UTC).date() + timedelta(days=400))) == []


def test_an_expired_key_that_still_stands_there_is_worth_knowing(machine: Machine) -> None:
    past = datetime(2026, 11, 1, tzinfo=UTC)
    scene = machine.scene(settings=machine.settings(keys=[key(expires=past)]))
    assert severities("AUTH-4", scene) == ["info"]
    soon = datetime.combine(TODAY, datetime.min.time(), tzinfo=UTC) + timedelta(days=9)
    assert found("AUTH-4", machine.scene(settings=machine.settings(keys=[key(expires=soon)]))) == []


def test_a_providers_key_in_the_environment_of_an_agent_is_told_by_its_name(machine: Machine) -> None:
    machine.process(4, "node", "node", "/usr/bin/openclaw", "gateway", environ={"OPENAI_API_KEY": "sk-the-secret"})
    settings = machine.settings(offer(key=SecretRef("env", "OPENAI_API_KEY")))
    (finding,) = found("AUTH-5", machine.scene(settings=settings))
    assert "OPENAI_API_KEY" in finding.found
    assert "sk-the-secret" not in f"{finding}"


def test_an_agent_without_it_and_another_programme_with_it_are_fine(machine: Machine) -> None:
    machine.process(4, "codex", environ={"PATH": "/bin"})
    machine.process(5, "bash", environ={"OPENAI_API_KEY": "sk-the-secret"})
    settings = machine.settings(offer(key=SecretRef("env", "OPENAI_API_KEY")))
    assert found("AUTH-5", machine.scene(settings=settings)) == []
