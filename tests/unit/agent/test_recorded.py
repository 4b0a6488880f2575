"""What is written to the log comes back as it was."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.marks import EVERYONE, Mark, Origin, Party, Readers
from isthmus.agent.recorded import read, written
from isthmus.agent.tool import Argument, Field, Grant, Image, Item, Made, ToolResult
from isthmus.domain.label import Label

texts = st.text(max_size=12)
marks = st.builds(
    Mark,
    labels=st.frozensets(st.sampled_from([Label("pii"), Label("mail")])),
    readers=st.one_of(
        st.just(EVERYONE),
        st.builds(Readers, parties=st.frozensets(st.sampled_from([Party("mailto:a@b.c"), Party("mailto:d@e.f")]))),
    ),
    origins=st.frozensets(st.sampled_from([Origin("user"), Origin("mail:a@b.c")]), min_size=1),
)
values = st.one_of(
    texts,
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
)
fields = st.builds(Field, value=values, kind=st.sampled_from(["text", "email", "time", "amount"]), mark=marks)
items = st.recursive(
    st.builds(Item, kind=st.just("mail"), id=texts, fields=st.dictionaries(texts, fields, max_size=3)),
    lambda inner: st.builds(
        Item,
        kind=st.just("mail"),
        id=texts,
        fields=st.dictionaries(texts, fields, max_size=2),
        items=st.lists(inner, max_size=2).map(tuple),
    ),
    max_leaves=4,
)
json = st.recursive(
    st.one_of(texts, st.integers(0, 9), st.none(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(texts, st.just("$decimal"), st.just("$object")), inner, max_size=2),
    ),
    max_leaves=5,
)


def through(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(written(value)))


@given(st.builds(ToolResult, items=st.lists(items, max_size=3).map(tuple), note=texts, failed=st.booleans()))
def test_what_a_tool_found_comes_back_with_all_its_marks(result: ToolResult) -> None:
    assert read(ToolResult, through(result)) == result


@given(json, marks)
def test_arguments_may_be_any_json_and_never_turn_into_something_else(value: Any, mark: Mark) -> None:
    grant = Grant(call="c", tool="t", digest="d", mark=mark, arguments={"a": Argument(value=value, mark=mark)})
    assert read(Grant, through(grant)) == grant


def test_pictures_dates_and_amounts_come_back() -> None:
    mark = Mark()
    result = ToolResult(
        items=(
            Item(
                kind="event",
                id="e",
                fields={
                    "day": Field(value=date(2026, 1, 2), kind="time", mark=mark),
                    "at": Field(value=datetime(2026, 1, 2, 3, tzinfo=UTC), kind="time", mark=mark),
                    "cost": Field(value=Decimal("1.10"), kind="amount", mark=mark),
                },
            ),
        ),
        image=Image(data=b"\x00\xff", media_type="image/png", mark=mark),
        made=(Made("file", "f", "00"),),
    )
    back = read(ToolResult, through(result))
    assert back == result
    assert str(back.items[0].fields["cost"].value) == "1.10"


def test_what_no_event_holds_is_refused() -> None:
    with pytest.raises(TypeError, match="does not go into the log"):
        written(object())
