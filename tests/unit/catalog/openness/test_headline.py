"""The headline: each level by its rule, and what is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isthmus.catalog.openness.headline import Facts, headline, might_raise, missing
from isthmus.catalog.records.licence import Tier
from isthmus.catalog.records.model import DataState, Openness

FULL = Facts(weights="public", licence="permissive", data="open", train_code="open", code_licence_open=True)
NOTHING = Facts(weights=None, licence=None, data=None, train_code=None, code_licence_open=None)


def test_without_weights_a_model_is_closed_whatever_else_is_given() -> None:
    assert headline(replace(FULL, weights="none")) == 0


def test_without_knowing_of_weights_there_is_no_headline() -> None:
    assert headline(replace(FULL, weights=None)) is None


@pytest.mark.parametrize("tier", ["proprietary", "noncommercial", "restricted", "scale-conditional", None])
def test_weights_under_any_but_a_permissive_licence_are_restricted(tier: Tier | None) -> None:
    assert headline(replace(FULL, licence=tier)) == 1


@pytest.mark.parametrize(("data", "code", "level"), [
    ("closed", "closed", 2),
    ("described", "partial", 2),
    (None, None, 2),
    ("partial", "closed", 3),
    ("open", "partial", 3),
    ("closed", "open", 3),
    (None, "open", 3),
    ("open", None, 3),
    ("open", "open", 4),
])  # fmt: skip
def test_open_weights_rise_with_data_and_code(data: DataState | None, code: Openness | None, level: int) -> None:
    assert headline(replace(FULL, data=data, train_code=code)) == level


def test_full_openness_needs_an_open_licence_on_the_training_code() -> None:
    assert headline(replace(FULL, code_licence_open=False)) == 3
    assert headline(replace(FULL, code_licence_open=None)) == 3


def test_gated_weights_count_as_given() -> None:
    assert headline(replace(FULL, weights="gated")) == 4


def test_only_the_unknown_facts_that_might_raise_the_level_are_named() -> None:
    assert might_raise(FULL) == ()
    assert might_raise(replace(FULL, licence="restricted", data=None)) == ()
    assert might_raise(replace(FULL, data=None)) == ("training data",)
    assert might_raise(replace(FULL, weights="none", licence=None)) == ()
    assert might_raise(replace(FULL, data="closed", train_code=None, code_licence_open=None)) == ("training code",)
    assert might_raise(NOTHING) == (
        "weights",
        "licence",
        "training data",
        "training code",
        "licence of the training code",
    )


@pytest.mark.parametrize(("facts", "needed"), [
    (NOTHING, ("whether there are weights",)),
    (replace(FULL, weights="none"), ("weights",)),
    (replace(FULL, licence="restricted"), ("a permissive licence",)),
    (
        replace(FULL, data="described", train_code="partial"),
        ("the training data, or a part of it, or the training code",),
    ),
    (replace(FULL, data="partial"), ("all of the training data",)),
    (
        replace(FULL, train_code=None, code_licence_open=None),
        ("all of the training code", "an open licence on the training code"),
    ),
    (FULL, ()),
])  # fmt: skip
def test_what_stands_between_a_model_and_the_next_level_is_named(facts: Facts, needed: tuple[str, ...]) -> None:
    assert missing(facts) == needed
