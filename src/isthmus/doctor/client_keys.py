"""The keys by which isthmus knows its clients: those of the store, and those of the settings."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

from sqlalchemy import make_url

from isthmus.doctor.scene import Scene
from isthmus.domain.principal import Key
from isthmus.ledger.keys import KeptKey, KeyStore
from isthmus.ledger.store import Store


def store_file(scene: Scene) -> Path | None:
    """The file of the store; None: the settings cannot be used."""
    if scene.settings is None:
        return None
    name = make_url(scene.settings.store.url).database
    return None if name is None else Path(name)


def kept_keys(scene: Scene) -> tuple[KeptKey, ...]:
    """Every key ever made, revoked ones included.

    Raises:
        LedgerError: the store cannot be used.
    """
    return scene.once.get("keys", lambda: _kept(scene))


def keys_in_force(scene: Scene) -> tuple[Key, ...]:
    """The keys that let somebody in today.

    Raises:
        LedgerError: the store cannot be used.
    """
    now = datetime.combine(scene.today, time.min, tzinfo=UTC)
    return tuple(
        one.key
        for one in kept_keys(scene)
        if one.revoked is None and (one.key.expires is None or one.key.expires > now)
    )


def _kept(scene: Scene) -> tuple[KeptKey, ...]:
    if scene.settings is None:
        return ()
    written = [KeptKey(key=key, revoked=None) for key in scene.settings.keys.values()]
    store = Store(scene.settings.store.url)
    if not store.exists():
        return tuple(written)
    try:
        return (*KeyStore(store).list(), *written)
    finally:
        store.dispose()
