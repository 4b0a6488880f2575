"""What was read from accounts is kept for the offers it was read of."""

from __future__ import annotations

import dataclasses
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isthmus.catalog.facts import Observation
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Offer
from isthmus.providers.accounts.kept import FILE, forget, keep, kept_observations, observations_of, subject_of

MakeOffer = Callable[..., Offer]


def observation(offer: Offer, setting: str = "zero") -> Observation:
    return Observation(
        offer=offer.name,
        terms="openai/api",
        subject=subject_of(offer),
        setting=setting,
        says="Nothing is kept.",
        retention_days=0,
        observed_at=datetime(2026, 11, 21, tzinfo=UTC),
        where="https://api.openai.com/v1",
    )


def test_an_observation_comes_back(tmp_path: Path, offer: MakeOffer) -> None:
    mine = offer("https://api.openai.com/v1")
    keep(tmp_path / "state", observation(mine))
    assert observations_of(tmp_path / "state", [mine]) == {"mine": observation(mine)}


def test_the_newest_of_an_offer_counts_and_others_stay(tmp_path: Path, offer: MakeOffer) -> None:
    mine = offer("https://api.openai.com/v1")
    other = dataclasses.replace(mine, name="other")
    keep(tmp_path, observation(other))
    keep(tmp_path, observation(mine, "old"))
    keep(tmp_path, observation(mine, "new"))
    assert {name: found.setting for name, found in kept_observations(tmp_path).items()} == {
        "mine": "new",
        "other": "zero",
    }
    forget(tmp_path, "mine")
    assert set(kept_observations(tmp_path)) == {"other"}
    forget(tmp_path, "mine")


def test_what_was_read_before_an_offer_was_changed_does_not_count(tmp_path: Path, offer: MakeOffer) -> None:
    mine = offer("https://api.openai.com/v1")
    keep(tmp_path, observation(mine))
    for changed in (
        dataclasses.replace(mine, base_url="https://eu.api.openai.com/v1"),
        dataclasses.replace(mine, model="gpt-5"),
        dataclasses.replace(mine, provider="openai-compatible"),
    ):
        assert observations_of(tmp_path, [changed]) == {}


def test_nothing_kept_is_nothing(tmp_path: Path, offer: MakeOffer) -> None:
    assert observations_of(tmp_path / "never", [offer("https://x.example")]) == {}


def test_the_file_is_for_its_owner_and_holds_no_key(tmp_path: Path, offer: MakeOffer) -> None:
    keep(tmp_path, observation(offer("https://api.openai.com/v1")))
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(json.loads(file.read_text())["observations"]["mine"]) == {
        "offer",
        "terms",
        "subject",
        "setting",
        "says",
        "retention_days",
        "training",
        "observed_at",
        "where",
    }
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("text", ["", "{", '{"observations": {"mine": {}}}', '{"observations": [], "x": 1}'])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, offer: MakeOffer, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigError, match="cannot be used"):
        observations_of(tmp_path, [offer("https://x.example")])
