"""The whole of isthmus over offers that are slow, break off or are overloaded: what official clients see.

One process serves all tests; each has a workload and two offers of its own.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import anthropic
import openai
import pytest
from tests.fakes.wayward import SENTENCE, Wayward, wayward
from tests.system.process import Isthmus, running

from isthmus.domain.entry import Entry

QUESTION = "What is an isthmus?"
ASK: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
PAID = Decimal("0.00002")
"""For one answer."""

WORKLOADS = {
    "restart": 'mid_stream = "restart"',
    "continue": 'mid_stream = "continue"',
    "continue-claude": 'mid_stream = "continue"',
    "fail": 'mid_stream = "fail"',
    "hedge": "hedge_after = 0.1",
    "hedge-whole": "hedge_after = 0.1",
    "cache": "cache_seconds = 60",
    "flight": "cache_seconds = 60",
    "plain": "",
    "full": "",
    "spill": "",
    "told": "",
}
OFFERS = {
    "full": "max_in_flight = 2\ndeadlines = { first_byte = 1.5 }",
    "spill": "max_in_flight = 1",
    "told": "max_in_flight = 1\ndeadlines = { first_byte = 0.3 }",
}


@dataclass
class Scene:
    """A workload, its two offers, and who asks."""

    name: str
    isthmus: Isthmus
    client: openai.OpenAI
    first: Wayward
    second: Wayward

    def whole(self, **fields: str) -> tuple[str, Mapping[str, str]]:
        """Text and headers of an answer."""
        raw = self.client.chat.completions.with_raw_response.create(
            model=self.name,
            messages=ASK,
            user=fields.get("user", "me"),
        )
        return raw.parse().choices[0].message.content or "", raw.headers

    def streamed(self, model: str | None = None) -> tuple[str, Mapping[str, str]]:
        raw = self.client.chat.completions.with_raw_response.create(model=model or self.name, messages=ASK, stream=True)
        chunks = raw.parse()
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), raw.headers

    def entry(self, headers: Mapping[str, str]) -> Entry:
        return self.isthmus.entry(headers["isthmus-request"])

    def claude(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=f"http://127.0.0.1:{self.isthmus.port}", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Scene]]:
    with ExitStack() as stack:
        pairs = {name: (stack.enter_context(wayward()), stack.enter_context(wayward())) for name in WORKLOADS}
        tables = "".join(
            f'[offers.{name}-{number}]\nprovider = "openai-compatible"\nmodel = "m"\nurl = "{one.url}"\n'
            f'side = "hosted"\nprice = {{ input = 1, output = 2 }}\ncapabilities = {{ prefill = true }}\n'
            f"{OFFERS.get(name, '')}\n"
            for name, pair in pairs.items()
            for number, one in enumerate(pair, 1)
        ) + "".join(
            f'[workloads.{name}]\noffers = ["{name}-1", "{name}-2"]\n{options}\n' for name, options in WORKLOADS.items()
        )
        isthmus = stack.enter_context(running(Isthmus(tmp_path_factory.mktemp("isthmus"), tables)))
        url = f"http://127.0.0.1:{isthmus.port}/v1"
        client = stack.enter_context(openai.OpenAI(base_url=url, api_key="none", max_retries=0))
        yield {name: Scene(name, isthmus, client, *pair) for name, pair in pairs.items()}


def test_a_stream_that_breaks_before_its_first_word_is_taken_over(world: Mapping[str, Scene]) -> None:
    one = world["restart"]
    one.first.words = 0
    text, headers = one.streamed()
    entry = one.entry(headers)
    assert text == SENTENCE
    assert (entry.outcome, entry.offer) == ("completed", "restart-2")
    assert [attempt.offer for attempt in entry.attempts] == ["restart-1", "restart-2"]


def test_a_stream_that_breaks_later_is_gone_on_from(world: Mapping[str, Scene]) -> None:
    one = world["continue"]
    one.first.words = 4
    text, headers = one.streamed()
    entry = one.entry(headers)
    assert text == SENTENCE
    assert one.second.requests[0]["messages"][-1] == {"role": "assistant", "content": "The strip of land"}
    assert (entry.outcome, entry.offer, entry.error) == ("completed", "continue-2", None)
    assert [(a.offer, a.fate) for a in entry.attempts] == [("continue-1", "broken_off"), ("continue-2", "continued")]
    assert entry.cost == PAID
    assert "went on from there" in one.isthmus.run("ledger", "show", entry.id).stdout


def test_a_client_of_another_dialect_sees_one_message_too(world: Mapping[str, Scene]) -> None:
    one = world["continue-claude"]
    one.first.words = 4
    asked: list[anthropic.types.MessageParam] = [{"role": "user", "content": QUESTION}]
    with one.claude() as client, client.messages.stream(model=one.name, max_tokens=100, messages=asked) as stream:
        message = stream.get_final_message()
    assert [block.text for block in message.content if block.type == "text"] == [SENTENCE]
    assert message.stop_reason == "end_turn"


def test_without_leave_a_break_is_told(world: Mapping[str, Scene]) -> None:
    one = world["fail"]
    one.first.words = 4
    with pytest.raises(openai.APIError, match="broke off in the middle"):
        one.streamed()
    assert one.second.requests == []


@pytest.mark.parametrize("name", ["hedge", "hedge-whole"])
def test_the_second_offer_is_asked_where_the_first_is_slow(world: Mapping[str, Scene], name: str) -> None:
    one = world[name]
    one.first.waits = 20.0
    began = time.monotonic()
    text, headers = one.streamed() if name == "hedge" else one.whole()
    assert time.monotonic() - began < 5
    assert text == SENTENCE
    entry = one.entry(headers)
    assert one.first.gone.wait(5)
    assert (entry.outcome, entry.offer) == ("completed", f"{name}-2")
    assert [a.fate for a in entry.attempts] == ["outrun", None]
    assert 0.09 <= entry.attempts[1].started < 3
    assert entry.cost == PAID


def test_the_same_question_is_answered_from_the_cache(world: Mapping[str, Scene]) -> None:
    one = world["cache"]
    asked = [one.whole(), one.whole(), one.streamed(), one.streamed(), one.whole(user="another")]
    assert [text for text, _ in asked] == [SENTENCE] * 5
    assert [headers["isthmus-cache"] for _, headers in asked] == ["miss", "hit", "miss", "hit", "miss"]
    assert len(one.first.requests) == 3
    _, hit = asked[1]
    assert (hit["isthmus-cost"], hit["isthmus-offer"]) == ("0", "cache-1")
    entries = [one.entry(headers) for _, headers in asked]
    assert [entry.cached for entry in entries] == [False, True, False, True, False]
    assert [entry.cost for entry in entries] == [PAID, Decimal(0), PAID, Decimal(0), PAID]
    assert "nobody was asked" in one.isthmus.run("ledger", "show", entries[1].id).stdout
    _, elsewhere = world["plain"].whole()
    assert "isthmus-cache" not in elsewhere


def test_like_questions_that_come_together_are_asked_once(world: Mapping[str, Scene]) -> None:
    one = world["flight"]
    one.first.waits = 0.5
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: one.streamed(), range(4)))
    assert [text for text, _ in answers] == [SENTENCE] * 4
    assert len(one.first.requests) == 1
    assert sorted(one.entry(headers).cached for _, headers in answers) == [False, True, True, True]


def test_what_an_offer_has_no_room_for_waits_or_is_told_when_to_come_back(world: Mapping[str, Scene]) -> None:
    one = world["full"]
    one.first.waits = 0.4
    one.streamed("full-1")
    started = threading.Barrier(12)

    def ask(_: int) -> tuple[float, openai.InternalServerError | None]:
        started.wait(10)
        began = time.monotonic()
        refused: openai.InternalServerError | None = None
        try:
            one.streamed("full-1")
        except openai.InternalServerError as exc:
            refused = exc
        return time.monotonic() - began, refused

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(12)))
    refusals = [(seconds, error) for seconds, error in answers if error is not None]
    assert one.first.most_under_way == 2
    # 2 at once, 0.4 s each: who would have to wait for more than 1.5 s need not.
    assert 2 <= len(refusals) <= 8
    assert sum(seconds < 0.5 for seconds, _ in refusals) >= len(refusals) // 2
    for _, error in refusals:
        assert (error.status_code, error.code) == (503, "overloaded")
        assert int(error.response.headers["retry-after"]) >= 1
        entry = one.entry(error.response.headers)
        assert (entry.outcome, entry.error, entry.attempts) == ("refused", "overloaded", ())


def test_where_the_first_offer_is_full_the_second_helps_out(world: Mapping[str, Scene]) -> None:
    one = world["spill"]
    one.first.waits = 0.5
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: one.streamed(), range(2)))
    assert [text for text, _ in answers] == [SENTENCE] * 2
    assert (len(one.first.requests), len(one.second.requests)) == (1, 1)


def test_a_client_of_another_dialect_is_told_of_overload_in_its_own(world: Mapping[str, Scene]) -> None:
    one = world["told"]
    one.first.waits = 0.4
    one.streamed("told-1")  # how long answers take is known from here on
    one.first.waits = 1.5
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(one.streamed, "told-1")
        time.sleep(0.2)
        with one.claude() as client, pytest.raises(anthropic.InternalServerError) as caught:
            client.messages.create(model="told-1", max_tokens=10, messages=[{"role": "user", "content": "hi"}])
        busy.result()
    assert caught.value.response.headers["retry-after"] == "1"
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "error"


@pytest.mark.model
def test_the_embedded_engine_goes_on_where_another_offer_broke_off(tmp_path: Path) -> None:
    with wayward(words=4) as first:
        tables = (
            f'[offers.first]\nprovider = "openai-compatible"\nmodel = "m"\nurl = "{first.url}"\nside = "hosted"\n'
            '[offers.home]\nprovider = "embedded"\nmodel = "smollm2-135m-instruct"\n'
            '[workloads.work]\noffers = ["first", "home"]\nmid_stream = "continue"\n'
        )
        with running(Isthmus(tmp_path, tables)) as isthmus:
            url = f"http://127.0.0.1:{isthmus.port}/v1"
            with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as client:
                text, headers = Scene("work", isthmus, client, first, first).streamed()
                entry = isthmus.entry(headers["isthmus-request"])
    assert text.startswith("The strip of land")
    assert len(text) > len("The strip of land")
    assert "The strip" not in text[4:]
    assert [(a.offer, a.fate) for a in entry.attempts] == [("first", "broken_off"), ("home", "continued")]
