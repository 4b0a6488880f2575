"""Forms, as clients write them and as nobody should."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.errors import InvalidRequest
from isthmus.gateway.multipart import MOST_PARTS, Part, read_form


def form(fields: dict[str, Part], boundary: str = "x") -> bytes:
    out = b""
    for name, part in fields.items():
        filename = "" if part.filename is None else f'; filename="{part.filename}"'
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n'.encode()
        out += b"Content-Type: application/octet-stream\r\n\r\n" + part.content + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


names = st.text(st.characters(codec="utf-8", exclude_characters='"\\\r\n', exclude_categories=["C"]), min_size=1)


@given(st.dictionaries(names, st.builds(Part, st.binary(), st.none() | names), min_size=1, max_size=4))
def test_what_was_put_into_a_form_is_read_from_it(fields: dict[str, Part]) -> None:
    # Longer than anything in the fields can be by chance; what else a boundary is for.
    assert read_form(form(fields, "a-boundary-that-hypothesis-does-not-find")) == fields


@given(st.binary())
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    for content in (body, b"--x\r\n" + body):
        with suppress(InvalidRequest):
            read_form(content)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"--x\r\n",
        b"--x\r\ncontent-disposition: form-data; name=file\r\n\r\nhalf",
        b"--" + b"x" * 100 + b"\r\n",
        form({"a": Part(b"", None)})[:-4],
    ],
)
def test_what_is_no_whole_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="form"):
        read_form(body)


def test_a_field_that_is_said_twice_is_refused() -> None:
    once = form({"a": Part(b"1", None)})
    with pytest.raises(InvalidRequest, match="twice") as caught:
        read_form(once[: -len(b"--x--\r\n")] + once)
    assert caught.value.param == "a"


def test_more_fields_than_anybody_needs_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="too many"):
        read_form(form({str(n): Part(b"", None) for n in range(MOST_PARTS + 1)}))
