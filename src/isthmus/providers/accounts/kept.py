"""What was read from accounts, kept in the state folder: `accounts.json`, one observation per offer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from isthmus.catalog.facts import Observation
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Offer

FILE = "accounts.json"


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    observations: dict[str, Observation]


def kept_observations(state_dir: Path) -> dict[str, Observation]:
    """Everything that was kept, by the name of the offer.

    Raises:
        ConfigError: the file cannot be read. What it might have said must not silently count for nothing.
    """
    path = state_dir / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept).observations
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise ConfigError(
            f"{path} cannot be used: {exc}.", hint="Remove it and run `isthmus catalog account` again."
        ) from exc


def observations_of(state_dir: Path, offers: Iterable[Offer]) -> Mapping[str, Observation]:
    """What was read of offers as they are now; what was read before they were changed is left out."""
    kept = kept_observations(state_dir)
    return {
        offer.name: found
        for offer in offers
        if (found := kept.get(offer.name)) is not None and found.subject == subject_of(offer)
    }


def subject_of(offer: Offer) -> str:
    """What an observation is about; it says nothing of an offer that was changed since."""
    return f"{offer.provider} {offer.base_url} {offer.model}"


def keep(state_dir: Path, observation: Observation) -> None:
    """Keep an observation in place of an earlier one of the same offer."""
    _write(state_dir, kept_observations(state_dir) | {observation.offer: observation})


def forget(state_dir: Path, offer: str) -> None:
    """Drop what was read of an offer: where a new look shows nothing, the old one no longer counts."""
    kept = kept_observations(state_dir)
    if kept.pop(offer, None) is not None:
        _write(state_dir, kept)


def _write(state_dir: Path, observations: dict[str, Observation]) -> None:
    """Write the file, whole or not at all, readable for its owner alone."""
    path = state_dir / FILE
    partial = path.with_name(f"{FILE}.{os.getpid()}")
    state_dir.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(_Kept({name: observations[name] for name in sorted(observations)})))
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(text + b"\n")
    partial.replace(path)
