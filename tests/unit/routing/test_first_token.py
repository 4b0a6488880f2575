import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.road import ROLE
from tests.fakes.sender import DONE, USAGE, chunk, delta

from isthmus.dialects.registry import dialect_of
from isthmus.routing.first_token import DECODED_FROM, FirstToken

CHAT = dialect_of("openai-chat")


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


@pytest.mark.parametrize(
    ("dialect", "silent", "token"),
    [
        ("openai-chat", [ROLE, delta("")], delta("x")),
        (
            "anthropic-messages",
            [
                event("message_start", message={"id": "m", "model": "c", "content": [], "usage": {"input_tokens": 1}}),
                event("ping"),
                event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            ],
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}),
        ),
        (
            "gemini-generate",
            [],
            b'data: {"candidates": [{"content": {"parts": [{"text": "x"}]}}]}\r\n\r\n',
        ),
    ],
)
def test_the_first_token_is_seen_in_every_dialect_and_nothing_before_it(
    dialect: str, silent: list[bytes], token: bytes
) -> None:
    looks = FirstToken(dialect_of(dialect))
    assert not any(looks.is_in(piece) for piece in silent)
    assert looks.is_in(token)


def test_a_token_in_one_piece_with_what_says_nothing_is_seen() -> None:
    assert FirstToken(CHAT).is_in(ROLE + delta("x"))


def test_what_the_pattern_does_not_see_is_seen_some_pieces_later() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    looks = FirstToken(CHAT)
    pieces = [chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]), *[delta("")] * 5]
    assert [looks.is_in(piece) for piece in pieces].index(True) == DECODED_FROM - 1


@given(st.text(max_size=20))
def test_no_text_looks_like_silence_and_no_silence_like_text(text: str) -> None:
    assert FirstToken(CHAT).is_in(delta(text)) == bool(text)


@given(st.lists(st.sampled_from([ROLE, delta(""), USAGE]), max_size=8), st.text(min_size=1, max_size=5))
def test_however_much_says_nothing_the_first_token_is_the_first(silent: list[bytes], text: str) -> None:
    looks = FirstToken(CHAT)
    assert not any(looks.is_in(piece) for piece in silent)
    assert looks.is_in(delta(text))


def test_an_end_is_something_to_show() -> None:
    looks = FirstToken(CHAT)
    assert any(looks.is_in(piece) for piece in [ROLE, delta("", "stop"), USAGE, DONE, delta("")])
