import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.dialects.gather import gather
from isthmus.dialects.registry import dialect_of
from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.message import (
    Event,
    Finished,
    Reasoning,
    ReasoningDelta,
    Started,
    Text,
    TextDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)
from isthmus.domain.usage import Usage

START = Started(id="c1", model="m", created=1)
END = Finished(reason="stop")


@given(st.lists(st.text()), st.lists(st.text()))
def test_pieces_become_whole_in_their_order(thought: list[str], said: list[str]) -> None:
    events: list[Event] = [
        *(ReasoningDelta(text=piece) for piece in thought),
        *(TextDelta(text=piece) for piece in said),
    ]
    (choice,) = gather([START, *events, END]).choices
    assert [part.text for part in choice.parts if isinstance(part, Reasoning)] == ["".join(thought)] * bool(thought)
    assert [part.text for part in choice.parts if isinstance(part, Text)] == ["".join(said)] * bool(said)


def test_calls_choices_probabilities_and_usage_come_together() -> None:
    probable = TokenLogprob(token="a", logprob=-0.5)
    completion = gather(
        [
            START,
            TextDelta(text="a", logprobs=(probable,)),
            ToolCallStarted(call=0, id="t0", name="f"),
            ToolCallStarted(call=1, id="t1", name="g"),
            ToolCallDelta(call=1, arguments="{}"),
            ToolCallDelta(call=0, arguments='{"x":'),
            ToolCallDelta(call=0, arguments="1}"),
            TextDelta(text="other", choice=1),
            Finished(reason="tool_calls"),
            Finished(reason="length", choice=1),
            Used(usage=Usage(input=3, output=2)),
        ]
    )
    first, second = completion.choices
    assert first.parts == (
        Text(text="a"),
        ToolCall(id="t0", name="f", arguments='{"x":1}'),
        ToolCall(id="t1", name="g", arguments="{}"),
    )
    assert (first.finish, first.logprobs) == ("tool_calls", (probable,))
    assert (second.parts, second.finish) == ((Text(text="other"),), "length")
    assert completion.usage == Usage(input=3, output=2)


@pytest.mark.parametrize("events", [[], [TextDelta(text="x")], [START, ToolCallDelta(call=0, arguments="{}")]])
def test_a_stream_that_makes_no_sense_is_no_completion(events: list[Event]) -> None:
    with pytest.raises(UpstreamMalformed):
        gather(events)


def test_a_streamed_answer_reads_like_a_whole_one() -> None:
    openai = dialect_of("openai-chat")
    whole = openai.decode_completion(
        b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":'
        b'"assistant","content":"Hi there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}'
    )
    decoder = openai.stream_decoder()
    chunk = b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m",'
    stream = (
        chunk + b'"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi "},"finish_reason":null}]}\n\n'
        + chunk + b'"choices":[{"index":0,"delta":{"content":"there"},"finish_reason":"stop"}]}\n\n'
        + chunk + b'"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
    )  # fmt: skip
    assert gather([*decoder.feed(stream), *decoder.close()]) == whole
