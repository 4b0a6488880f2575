"""Cards of all sorts, read without ever raising."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.contacts.card import card, written

OLD = (
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg=\r\n e;;;\r\n"
    "TEL;HOME;VOICE:123\r\nEMAIL;INTERNET:joerg@example.org\r\nPHOTO;ENCODING=BASE64;JPEG:AAAA=\r\n\r\nEND:VCARD\r\n"
)


def test_an_old_card_is_read() -> None:
    found = card(OLD)
    assert found is not None
    assert found.name.startswith("Jörg")
    assert found.name.endswith("Müller")
    assert found.phones == ("123",)
    assert found.emails == ("joerg@example.org",)


@pytest.mark.parametrize(
    "text", ["", "BEGIN:VCARD", "BEGIN:VCARD\nEND:VCARD", "BEGIN:VCALENDAR\nFN:x", "BEGIN:VCARD\nNOTE:x\nEND:VCARD"]
)
def test_what_names_nobody_is_no_card(text: str) -> None:
    assert card(text) is None


def test_what_is_no_address_is_left_out() -> None:
    found = card("BEGIN:VCARD\nFN:x\nEMAIL:a@b@c\nEMAIL:\nEMAIL:mailto:A@B.example\nTEL:\nEND:VCARD")
    assert found is not None
    assert found.emails == ("a@b.example",)
    assert found.phones == ()


@given(st.text(max_size=300))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    card(text)
    card(f"BEGIN:VCARD\r\nFN:x\r\n{text}\r\nEND:VCARD")


_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=120).map(
    lambda text: " ".join(text.split())
).filter(bool)  # fmt: skip


@given(name=_LINE, notes=st.lists(_LINE, min_size=1, max_size=3).map("\n".join))
def test_what_is_written_is_read_and_adds_no_line(name: str, notes: str) -> None:
    text = written("isthmus-1", {"FN": name, "NOTE": notes})
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    found = card(text)
    assert found is not None
    assert (found.name, found.notes) == (name, notes)
    assert found.emails == ()
