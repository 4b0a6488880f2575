"""What models are shown: under handles, inert, bounded, and never mistaken for our own words."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.inert import InertStream, inert, visible
from isthmus.agent.marks import OWN_WORDS, Mark, Origin
from isthmus.agent.monitor.shelf import Shelf
from isthmus.agent.rendering import rendered
from isthmus.agent.tool import Field, Item, ToolResult

OUTSIDE = Mark(origins=frozenset({Origin("mail:eve@evil.example")}))


def mail(text: str, *, subject: str = "hello", number: int = 1) -> Item:
    return Item(
        kind="mail",
        id=f"<{number}@x>",
        fields={
            "from": Field(value="eve@evil.example", kind="email", mark=OUTSIDE),
            "date": Field(value=datetime(2026, 11, 21, 9, tzinfo=UTC), kind="time", mark=OWN_WORDS),
            "subject": Field(value=subject, kind="text", mark=OUTSIDE),
            "text": Field(value=text, kind="text", mark=OUTSIDE),
        },
    )


def shown(*items: Item, most: int = 4000, note: str = "") -> str:
    shelf = Shelf().put(items, toolset="mail", call="c1")
    return rendered(ToolResult(items=items, note=note), shelf.shown, most=most)


def test_a_mail_stands_under_its_handle_with_its_fields() -> None:
    assert shown(mail("Lunch?\nAt noon."), note="1 mail.") == (
        "1 mail.\n"
        "mail_1:\n"
        " from: | eve@evil.example\n"
        " date: Sat 2026-11-21 09:00 UTC\n"
        " subject: | hello\n"
        " text (mail:eve@evil.example wrote this):\n"
        " | Lunch?\n"
        " | At noon."
    )


@given(st.text(alphabet="\r\nab|: \u2028\u0085\x0b\x0c_1(", max_size=60), st.text(max_size=40))
def test_no_line_of_others_passes_for_one_of_ours(text: str, subject: str) -> None:
    ours = re.compile(
        r"mail_1:| date: .*| from: \| .*| subject: \| .*| text: \| .*| \| .*"
        r"| (?:text|subject) \(mail:eve@evil.example wrote this\):| \(\d+ more characters in mail_1\.\w+\)"
    )
    for line in re.split(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", shown(mail(text, subject=subject))):
        assert ours.fullmatch(line), line


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/?q=1)",
        "[click](https://evil.example)",
        "![x][y]",
        "[y]: https://evil.example",
        "<img src=https://evil.example>",
        "<a href='x'>",
        "</script>",
        "<!-- hidden -->",
        "a\u200bb\u202ec\x1b[31md\U000e0041",
        "&lt;img&gt; &#60;",
        "x\ufe0f\ufe01",
    ],
)
def test_nothing_in_it_acts(text: str) -> None:
    done = inert(text)
    assert not re.search(r"!\[|\]\(|\]\[|\]:|<[A-Za-z/!]|&#|&[A-Za-z]+;", done)
    assert not re.search("[\u200b\u202e\x1b\ufe0f\U000e0041]", done)


@given(st.text())
def test_making_inert_twice_is_making_inert_once(text: str) -> None:
    assert inert(inert(text)) == inert(text)


@given(st.lists(st.text(alphabet="![]()<>&#; ab\r\n\u200b", max_size=5), max_size=8))
def test_pieces_of_a_stream_are_as_inert_as_the_whole(pieces: list[str]) -> None:
    stream = InertStream()
    told = "".join([stream.feed(piece) for piece in pieces] + [stream.close()])
    assert told == inert("".join(pieces))


@given(st.text())
def test_what_is_plain_stays_as_it_is(text: str) -> None:
    plain = "".join(one for one in text if one.isalnum() or one == " ")
    assert visible(plain) == plain or any(ord(one) > 127 for one in plain)


def test_length_is_bounded_and_what_is_left_out_is_told() -> None:
    text = shown(mail("word " * 5000), most=2000)
    assert len(text) < 2600
    assert re.search(r"\(\d+ more characters in mail_1\.text\)", text)


def test_of_many_things_all_are_named() -> None:
    text = shown(*(mail("word " * 80, number=n) for n in range(1, 60)), most=3000)
    assert len(text) < 4200
    assert all(f"mail_{n}" in text for n in range(1, 60))


def test_nothing_found_is_said() -> None:
    assert shown() == "Nothing was found."
