"""Which fields of records have no order, and so are guarded whatever they say."""

from __future__ import annotations

import pytest

from isthmus.catalog.catalog import load_catalog
from isthmus.catalog.changes.change import Fact, Kind
from isthmus.catalog.changes.diff import KINDS
from isthmus.catalog.changes.facts import facts_of
from isthmus.catalog.changes.loosening import rule_of

GUARDED = {
    "models": {"licence", "producer.seat", "bases"},
    "licences": {"spdx", "scancode", "licensor"},
    "providers": {"seat"},
    "offers": {"provider", "service", "terms"},
    "terms": {"provider"},
}
"""A new field of a record lands here until somebody decides which way it goes."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_record_has_a_rule_or_is_guarded_on_purpose(kind: Kind) -> None:
    fields = {field for record in getattr(load_catalog(), kind).values() for field in facts_of(record)}
    without = {field for field in fields if rule_of(Fact(kind=kind, record="x", field=field)) is None}
    assert without == GUARDED[kind]
