from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.finding import Finding
from isthmus.perimeter.redaction import Stretch, readable_type, redact, stretches


def test_what_was_found_is_named_by_its_type() -> None:
    text = "Write to ana@example.org or 078-05-1120."
    findings = [Finding("us_ssn", 28, 39), Finding("email", 9, 24)]
    assert redact(text, findings) == "Write to [EMAIL] or [US_SSN]."


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("email", "EMAIL"),
        ("us_ssn", "US_SSN"),
        ("ICD-10 code", "ICD_10_CODE"),
        ("_x_", "X"),
        ("né", "N"),
        ("…", "VALUE"),
    ],
)
def test_a_kind_is_written_in_capitals_and_underscores(kind: str, written: str) -> None:
    assert readable_type(kind) == written


def test_overlapping_findings_become_one_of_the_kind_of_the_longest() -> None:
    text = "0123456789"
    assert stretches(text, [Finding("a", 0, 3), Finding("b", 2, 8), Finding("c", 4, 6)]) == [Stretch(0, 8, "b")]
    assert stretches(text, [Finding("b", 0, 3), Finding("a", 2, 5)]) == [Stretch(0, 5, "b")]


def test_pieces_of_one_kind_that_touch_are_one_and_others_are_not() -> None:
    text = "0123456789"
    assert stretches(text, [Finding("a", 0, 3), Finding("a", 3, 5)]) == [Stretch(0, 5, "a")]
    assert stretches(text, [Finding("a", 0, 3), Finding("b", 3, 5)]) == [Stretch(0, 3, "a"), Stretch(3, 5, "b")]
    assert stretches(text, [Finding("a", 0, 3), Finding("a", 4, 5)]) == [Stretch(0, 3, "a"), Stretch(4, 5, "a")]


@pytest.mark.parametrize(
    "finding", [Finding("a", 0, 3, exact=False), Finding("a", 1, 1), Finding("a", -1, 2), Finding("a", 2, 6)]
)
def test_what_cannot_be_taken_out_is_refused(finding: Finding) -> None:
    with pytest.raises(ValueError, match="finding of kind 'a'"):
        redact("01234", [finding])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 19), st.integers(1, 20)), max_size=8))
def test_every_character_found_is_taken_out_and_no_other(spans: list[tuple[str, int, int]]) -> None:
    text = "x" * 20
    findings = [Finding(kind, start, end) for kind, start, end in spans if start < end]
    found = stretches(text, findings)
    assert {at for each in found for at in range(each.start, each.end)} == {
        at for each in findings for at in range(each.start, each.end)
    }
    assert all(before.end <= after.start for before, after in itertools.pairwise(found))
    assert stretches(text, findings[::-1]) == found
