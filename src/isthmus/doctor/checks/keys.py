"""The keys of clients, and the keys of engines and providers: strength, age, who shares them, who can read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

from isthmus.doctor.check import Check, Finding
from isthmus.doctor.client_keys import kept_keys, keys_in_force
from isthmus.doctor.exposure import running
from isthmus.doctor.listeners import environment
from isthmus.doctor.scene import Scene
from isthmus.domain.offer import SecretRef

SHORTEST = 20
"""Characters of a key that is no longer guessed: 20 of letters and digits are 119 random bits."""

OLDEST_DAYS = 365
"""Age at which a key without an end is told of."""

_WELL_KNOWN = (
    "sk-1234",
    "sk-12345",
    "sk-123456",
    "sk-test",
    "sk-no-key-required",
    "sk-xxx",
    "token-abc123",
    "EMPTY",
    "none",
    "no-key",
    "changeme",
    "change-me",
    "secret",
    "test",
    "admin",
    "password",
    "isthmus",
    "ollama",
    "vllm",
    "lm-studio",
    "llama.cpp",
    "123456",
    "1234",
    "",
)
"""Keys that stand in the documentation of servers and gateways, and those that people try first."""


def _weak(scene: Scene) -> Iterator[Finding]:
    known = {sha256(key.encode()).digest() for key in _WELL_KNOWN}
    for kept in kept_keys(scene):
        if kept.revoked is None and kept.key.hash in known:
            yield Finding(
                subject=f"key {kept.key.name}",
                found="It is one that everybody knows from examples.",
                remedy=f"Make another: `isthmus keys add NAME`, and take {kept.key.name} out.",
            )
    if scene.settings is None:
        return
    for offer in scene.settings.offers.values():
        value = None if offer.key is None or offer.side != "own" else _value(offer.key, scene.environ)
        if value is None:
            continue
        if value in _WELL_KNOWN:
            yield Finding(subject=f"offer {offer.name}", found="The key of its engine is one that everybody knows.")
        elif len(value) < SHORTEST:
            found = f"The key of its engine has {len(value)} characters, and can be guessed."
            yield Finding(subject=f"offer {offer.name}", found=found, severity="warn")
    if scene.settings.server.is_loopback and not keys_in_force(scene):
        yield Finding(
            subject="isthmus",
            found="It has no keys: every programme of every user of this machine may ask it, and the ledger cannot "
            "tell them apart.",
            severity="info",
            remedy="Make one where others use this machine: `isthmus keys add NAME`.",
        )


def _shared(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None or scene.settings.server.is_loopback:
        return
    keys = keys_in_force(scene)
    if len(keys) == 1 and keys[0].principal.user is None:
        yield Finding(
            subject=f"key {keys[0].name}",
            found="It is the only one, it names no user, and isthmus serves other machines: all who ask share it.",
        )


def _unlimited(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None or scene.settings.server.is_loopback or not keys_in_force(scene):
        return
    paid = [offer.name for offer in scene.settings.offers.values() if offer.side != "own"]
    if paid:
        yield Finding(
            subject=f"offers {', '.join(paid)}",
            found="They cost money by use, and this release bounds what the server does at once, not what one key "
            "may ask for or spend.",
        )


def _old(scene: Scene) -> Iterator[Finding]:
    for kept in kept_keys(scene):
        key = kept.key
        if kept.revoked is not None:
            continue
        if key.expires is not None and key.expires.astimezone(UTC).date() < scene.today:
            yield Finding(
                subject=f"key {key.name}",
                found=f"It expired on {_day(key.expires)} and was not revoked.",
                severity="info",
                remedy=f"`isthmus keys revoke {key.name}`.",
            )
        elif key.expires is None and key.created is not None:
            days = (scene.today - key.created.astimezone(UTC).date()).days
            if days > OLDEST_DAYS:
                yield Finding(subject=f"key {key.name}", found=f"It was made {days} days ago and never expires.")


def _within_reach_of_models(scene: Scene) -> Iterator[Finding]:
    if scene.settings is None:
        return
    wanted = {offer.key.name for offer in scene.settings.offers.values() if offer.key and offer.key.scheme == "env"}
    for process in running(scene):
        words = [Path(word).name for word in process.arguments[:3]]
        agent = next((word for word in (process.name, *words) if word in _AGENTS), None)
        if agent is None:
            continue
        held = sorted(wanted & environment(scene.proc, process.pid).keys())
        if held:
            yield Finding(
                subject=f"{agent}, process {process.pid}",
                found=f"It runs what models tell it to, and has {', '.join(held)} in its environment.",
                remedy=f"Start it without, and let it ask isthmus with a key of its own: `isthmus keys add {agent}`.",
            )


_AGENTS = frozenset(
    {
        "openclaw",
        "openclaw-gateway",
        "openclaw-gatewa",  # the kernel keeps 15 characters of a name
        "aider",
        "claude",
        "codex",
        "gemini",
        "goose",
        "interpreter",
        "opencode",
        "openhands",
        "qwen",
    }
)
"""Programmes that run commands which a model writes."""


def _value(ref: SecretRef, environ: Mapping[str, str]) -> str | None:
    """A key, to be looked at and forgotten; None where it cannot be read, or is in a keyring, which would ask."""
    if ref.scheme == "env":
        return environ.get(ref.name)
    if ref.scheme == "file":
        try:
            return Path(ref.name).expanduser().read_text(errors="replace").strip()
        except OSError:
            return None
    return None


def _day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


CHECKS = (
    Check(
        id="AUTH-1",
        family="keys",
        title="Missing, well-known or short keys",
        severity="high",
        why="Keys of examples are tried first. Keys that isthmus makes are 256 random bits; of one that was written "
        "into the settings by hand only the hash is there, so its length cannot be told, but whether it is a "
        "well-known one can. Without keys isthmus serves only this machine.",
        remedy="Take a random key: `openssl rand -base64 32`.",
        look=_weak,
    ),
    Check(
        id="AUTH-2",
        family="keys",
        title="One key for everybody",
        severity="warn",
        why="A shared key cannot be taken from one who leaves, and the ledger cannot tell who asked.",
        remedy="A key for each: `isthmus keys add NAME --user USER`.",
        look=_shared,
    ),
    Check(
        id="AUTH-3",
        family="keys",
        title="No limit per key",
        severity="info",
        why="One client in a loop, or a key that got out, spends without an end. This release has no limit of its own "
        "for a key; `[server] max_requests` bounds all of them together.",
        remedy="Set a limit of spending at the provider, and of requests at the proxy in front.",
        look=_unlimited,
    ),
    Check(
        id="AUTH-4",
        family="keys",
        title="Old keys",
        severity="warn",
        why=f"A key that got out unnoticed works until it ends. Told of after {OLDEST_DAYS} days; keys that stand in "
        "the settings have no date and are not seen.",
        remedy="Make another with an end, `isthmus keys add NAME --expires 90d`, and revoke this one.",
        look=_old,
    ),
    Check(
        id="AUTH-5",
        family="keys",
        title="A provider's key within reach of what models run",
        severity="high",
        why="isthmus has no key that opens everything: of clients' keys it keeps hashes, and its own engines get a "
        "random one. But an agent that runs commands for a model can print its environment; a provider's key in it can "
        "be talked out of it, and used past the perimeter.",
        remedy="Give agents a key of isthmus, not the provider's.",
        look=_within_reach_of_models,
    ),
)
