"""What holds between every two dialects: what a client says arrives with the same meaning, or is refused by name."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.dialects.meaning import differences, notes_of, of_completion, of_request, received, sent
from tests.unit.dialects.strategies import Carries, completions, events, requests
from tests.unit.dialects.test_anthropic_messages_laws import ANSWERS as ANTHROPIC_ANSWERS
from tests.unit.dialects.test_anthropic_messages_laws import CARRIES as ANTHROPIC
from tests.unit.dialects.test_gemini_generate_laws import ANSWERS as GEMINI_ANSWERS
from tests.unit.dialects.test_gemini_generate_laws import CARRIES as GEMINI
from tests.unit.dialects.test_openai_chat_laws import CARRIES as CHAT

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.dialect import Dialect
from isthmus.dialects.gather import gather
from isthmus.dialects.registry import NAMES, dialect_of
from isthmus.domain.errors import Unsupported
from isthmus.domain.message import (
    Choice,
    Completion,
    CompletionRequest,
    Event,
    FinishReason,
    Part,
    Reasoning,
    Text,
    ToolCall,
)

RESPONSES = Carries(
    dialect="openai-responses",
    minted_by="openai-responses",
    developer=True,
    system_anywhere=True,
    system_parts=2,
    image_detail=True,
    reasoning=True,
    reasoning_encrypted=True,
    refusal=True,
    result_images=True,
    tool_strict=True,
    formats=("text", "json_object", "json_schema"),
    format_names=True,
    stop=0,
    parallel_tool_calls=True,
    effort=("none", "minimal", "low", "medium", "high", "xhigh"),
    user=True,
    metadata=True,
    service_tier=True,
    created=True,
    finishes=("stop", "length", "tool_calls", "content_filter"),
)
ASKED = {"openai-chat": CHAT, "openai-responses": RESPONSES, "anthropic-messages": ANTHROPIC, "gemini-generate": GEMINI}
ANSWERED = ASKED | {"anthropic-messages": ANTHROPIC_ANSWERS, "gemini-generate": GEMINI_ANSWERS}
PAIRS = pytest.mark.parametrize(
    ("client", "offer"),
    [pytest.param(one, other, id=f"{one}->{other}") for one, other in itertools.product(NAMES, NAMES)],
)
QUICK = settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

COARSE: dict[FinishReason | None, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "refused",
    "refusal": "refused",
}
"""Reasons to finish that every dialect tells apart. The others are whatever comes nearest."""


def test_every_dialect_has_its_values() -> None:
    assert set(NAMES) == ASKED.keys()


@PAIRS
@QUICK
@given(data=st.data())
def test_a_request_arrives_with_its_meaning_or_is_refused_by_name(client: str, offer: str, data: st.DataObject) -> None:
    one, other = dialect_of(client), dialect_of(offer)
    made = data.draw(requests(ASKED[client], with_extra=False))
    meant = received(one, sent(one, made), made)
    assert unlike(meant, other) == {}


@PAIRS
@QUICK
@given(data=st.data())
def test_an_answer_arrives_with_its_meaning(client: str, offer: str, data: st.DataObject) -> None:
    one, other = dialect_of(client), dialect_of(offer)
    made = data.draw(completions(answers(client, offer), with_extra=False))
    request = CompletionRequest(model=made.model, messages=())
    told = other.decode_completion(other.encode_completion(made, request))
    arrived = one.decode_completion(one.encode_completion(told, request))
    assert_same(told, arrived, client)


@PAIRS
@QUICK
@given(data=st.data())
def test_a_stream_arrives_with_its_meaning(client: str, offer: str, data: st.DataObject) -> None:
    one, other = dialect_of(client), dialect_of(offer)
    made = data.draw(events(answers(client, offer)))
    told = streamed(other, made)
    arrived = streamed(one, told)
    assert_same(gather(told), gather(arrived), client)


def unlike(meant: CompletionRequest, other: Dialect) -> object:
    """What of a request another dialect says otherwise without a word; nothing where it refuses by name."""
    adapted = Adapted()
    try:
        body = sent(other, meant, adapted)
    except Unsupported as exc:
        return {} if exc.param else exc
    return differences(of_request(meant), of_request(received(other, body, meant)), notes_of(adapted))


def answers(client: str, offer: str) -> Carries:
    """What an offer answers. Several answers, and log probabilities, are asked for by whoever can be told them."""
    asked, answered = ASKED[client], ANSWERED[offer]
    return replace(
        answered,
        choices=asked.choices and answered.choices,
        logprobs=asked.logprobs and answered.logprobs,
        arguments_as_text=False,
    )


def streamed(dialect: Dialect, stream: tuple[Event, ...] | list[Event]) -> list[Event]:
    """Events that went over the wire of a dialect."""
    request = CompletionRequest(model="m", messages=(), stream=True, stream_usage=True)
    encoder, decoder = dialect.stream_encoder(request), dialect.stream_decoder()
    wire = b"".join(map(encoder.encode, stream)) + encoder.close()
    return [*decoder.feed(wire), *decoder.close()]


def assert_same(told: Completion, arrived: Completion, client: str) -> None:
    """Compare what a dialect can tell its client of an answer. Proofs have a law of their own."""
    meant, got = of_completion(told), of_completion(arrived)
    ends = [COARSE.get(choice.finish) for choice in told.choices]
    assert [
        COARSE.get(choice.finish) if end else None for choice, end in zip(arrived.choices, ends, strict=True)
    ] == ends
    for name in ("id", "finish", "stop_sequence", "logprobs", "signatures", "usage.details"):
        del meant[name]
    if not ANSWERED[client].refusal:
        del meant["refusals"]
    if client == "anthropic-messages":
        del meant["usage.audio"]  # it has no word for it
    assert differences(meant, got) == {}


# ------------------------------------------------------------------------------------------------------ proofs


def returned(client: str, answer: bytes) -> dict[str, Any]:
    """The next request of a client, with the answer in its history as its vendor's documents tell it to be."""
    told = json.loads(answer)
    match client:
        case "openai-chat":
            history = [
                {"role": "user", "content": "a"},
                told["choices"][0]["message"],
                {"role": "user", "content": "b"},
            ]
            return {"model": "m", "messages": history}
        case "openai-responses":
            history = [{"role": "user", "content": "a"}, *told["output"], {"role": "user", "content": "b"}]
            return {"model": "m", "input": history}
        case "anthropic-messages":
            answered = {"role": "assistant", "content": told["content"]}
            history = [{"role": "user", "content": "a"}, answered, {"role": "user", "content": "b"}]
            return {"model": "m", "max_tokens": 9, "messages": history}
        case "gemini-generate":
            user = {"role": "user", "parts": [{"text": "a"}]}
            return {"contents": [user, told["candidates"][0]["content"], user]}
        case _:
            raise AssertionError(client)


PROVEN: dict[str, tuple[Part, ...]] = {
    "openai-responses": (Reasoning(text="t", encrypted="AAEC", minted_by="openai-responses"), Text(text="x")),
    "anthropic-messages": (Reasoning(text="t", signature="c2ln", minted_by="anthropic-messages"), Text(text="x")),
    "gemini-generate": (
        Text(text="x"),
        ToolCall(id="call_1", name="f", arguments="{}", signature="c2ln", minted_by="gemini-generate"),
    ),
}


@pytest.mark.parametrize("maker", PROVEN)
@pytest.mark.parametrize("client", NAMES)
def test_a_proof_returns_to_its_maker_through_any_client_and_to_nobody_else(client: str, maker: str) -> None:
    one = dialect_of(client)
    asked = CompletionRequest(model="m", messages=())
    answer = Completion(id="resp_1", model="m", choices=(Choice(parts=PROVEN[maker], finish="stop"),))
    again = one.decode_request(json.dumps(returned(client, one.encode_completion(answer, asked))).encode())
    for offer in PROVEN:
        said = dialect_of(offer).encode_request(again, model="m")
        secret = next(word for word in (b"AAEC", b"c2ln") if word.decode() in repr(PROVEN[maker]))
        assert (secret in said) == (offer == maker), offer
        assert b"isthmus:" not in said
