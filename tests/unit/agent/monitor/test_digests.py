from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.monitor.digests import canonical

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**52), 2.0**52)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(values)
def test_canonical_json_is_json_of_the_same_value(value: object) -> None:
    again = json.loads(canonical(value))
    assert again == value
    assert canonical(again) == canonical(value)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.0, "0"), (-0.0, "0"), (1.0, "1"), (0.1, "0.1"), (1e-6, "0.000001"), (1e-7, "1e-7"), (1.5e-7, "1.5e-7"),
        (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.2345e25, "1.2345e+25"), (5e-324, "5e-324"),
        (333333333.33333329, "333333333.3333333"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (-2e-3, "-0.002"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_ecmascript_writes_them(number: float, written: str) -> None:
    assert canonical(number).decode() == written


def test_names_are_in_the_order_of_their_utf_16_units() -> None:
    """The example of RFC 8785, section 3.2.3."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(json.loads(canonical(dict.fromkeys(names, 0)))) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, "\ud800", {1: 2}, object(), b"x"])
def test_what_is_no_json_has_no_digest(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical(value)
