"""What a client sees, and what the ledger holds, when the first offer fails: the real server, the official client."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
from tests.fakes.upstream import WORDS, Behaviour, Upstream, upstream
from tests.system.process import Isthmus, free_port, running

from isthmus.domain.entry import Entry

SENTENCE = "".join(WORDS)
ASK: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "What is an isthmus?"}]


def settings(first: str, second: str) -> str:
    def offer(name: str, url: str) -> str:
        return (
            f'[offers.{name}]\nprovider = "vllm"\nmodel = "test-model"\nurl = "{url}"\nside = "hosted"\n'
            "price = { input = 1, output = 2 }\ndeadlines = { connect = 1, first_byte = 0.5, between_bytes = 1 }\n"
        )

    offers = offer("first", first) + offer("second", second)
    return f'{offers}[workloads.work]\noffers = ["first", "second"]\ngoal = "order"\nattempts = 2\n'


@contextmanager
def scene(folder: Path, behaviour: Behaviour | None) -> Iterator[tuple[Isthmus, openai.OpenAI, Upstream, Upstream]]:
    """isthmus between a client and two offers, the first of which misbehaves. None: nobody listens there."""
    with upstream(behaviour or "ok") as first, upstream() as second:
        url = first.url if behaviour is not None else f"http://127.0.0.1:{free_port()}/v1"
        with running(Isthmus(folder, settings(url, second.url))) as isthmus:
            client = openai.OpenAI(base_url=f"http://127.0.0.1:{isthmus.port}/v1", api_key="none", max_retries=0)
            with client:
                yield isthmus, client, first, second


def only(isthmus: Isthmus) -> Entry:
    (record,) = isthmus.records(1)
    return record.entry


@pytest.mark.parametrize(
    ("behaviour", "error", "status"),
    [
        (None, "upstream_unreachable", None),
        ("500", "upstream_error", 500),
        ("429", "upstream_error", 429),
        ("hang", "upstream_timeout", None),
        ("die", "upstream_unreachable", 200),
    ],
    ids=["refused", "500", "429", "hangs", "dies"],
)
def test_a_whole_answer_comes_from_the_second_offer(
    tmp_path: Path, behaviour: Behaviour | None, error: str, status: int | None
) -> None:
    with scene(tmp_path, behaviour) as (isthmus, client, _, second):
        answer = client.chat.completions.with_raw_response.create(model="work", messages=ASK)
        assert answer.headers["isthmus-offer"] == "second"
        assert answer.parse().choices[0].message.content == SENTENCE
        entry = only(isthmus)
    assert len(second.requests) == 1
    assert (entry.outcome, entry.offer) == ("completed", "second")
    assert [(a.offer, a.status, a.error) for a in entry.attempts] == [("first", status, error), ("second", 200, None)]
    assert str(entry.cost) == "0.000025"


@pytest.mark.parametrize("behaviour", [None, "500", "429", "hang"], ids=["refused", "500", "429", "hangs"])
def test_a_stream_comes_from_the_second_offer(tmp_path: Path, behaviour: Behaviour | None) -> None:
    with scene(tmp_path, behaviour) as (isthmus, client, _, _):
        stream = client.chat.completions.create(model="work", messages=ASK, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        entry = only(isthmus)
    assert text == SENTENCE
    assert (entry.outcome, entry.offer, entry.streamed) == ("completed", "second", True)
    assert entry.usage is not None
    assert entry.usage.output == 7


def test_a_stream_that_dies_in_the_middle_raises_at_the_client_and_is_interrupted_in_the_ledger(tmp_path: Path) -> None:
    with scene(tmp_path, "die") as (isthmus, client, _, second):
        stream = client.chat.completions.create(model="work", messages=ASK, stream=True)
        text = "".join(next(stream).choices[0].delta.content or "" for _ in range(3))
        with pytest.raises(openai.APIError, match="broke off in the middle") as caught:
            next(stream)
        entry = only(isthmus)
    assert caught.value.code == "stream_interrupted"
    assert text == "".join(WORDS[:3])
    assert second.requests == []
    assert (entry.outcome, entry.offer, entry.error) == ("interrupted", "first", "stream_interrupted")


def test_when_every_offer_fails_the_client_gets_the_right_exception(tmp_path: Path) -> None:
    with scene(tmp_path, "500") as (isthmus, client, _, second):
        second.behaviour = "429"
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="work", messages=ASK)
        entry = only(isthmus)
    assert caught.value.response.headers["retry-after"] == "3600"
    assert caught.value.request_id == entry.id
    assert (entry.outcome, entry.error) == ("failed", "upstream_error")
    assert {r.offer: r.code for r in entry.rejected} == {"first": "failed", "second": "failed"}


def test_a_client_that_leaves_stops_the_offer_at_once_and_its_entry_says_so(tmp_path: Path) -> None:
    with scene(tmp_path, "endless") as (isthmus, client, first, _):
        stream = client.chat.completions.create(model="work", messages=ASK, stream=True)
        for _ in range(5):
            next(stream)
        stream.close()
        entry = only(isthmus)
        first.noticed.wait(1)
        assert first.gone == 1
    assert (entry.outcome, entry.offer) == ("client_gone", "first")


def test_a_short_retry_after_is_waited_for_where_nobody_else_can_serve(tmp_path: Path) -> None:
    with scene(tmp_path, "429-soon") as (isthmus, client, _, _):
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="first", messages=ASK)
        entry = only(isthmus)
    assert len(entry.attempts) == 3
    assert entry.attempts[1].started - entry.attempts[0].started >= 1.0
