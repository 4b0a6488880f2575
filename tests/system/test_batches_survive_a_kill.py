"""A kill in the middle of a batch: no line is lost, none is told twice, and the ledger shows what was cut off."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anthropic import Anthropic
from openai import OpenAI
from tests.fakes.batch_scene import chat_lines
from tests.fakes.upstream import Upstream, upstream
from tests.system.process import Isthmus, running

from isthmus.batches.limits import BatchLimits

AT_ONCE = BatchLimits().at_once
LINES = 60
KILLS = 2


def settings(url: str) -> str:
    return f'[offers.far]\nprovider = "vllm"\nmodel = "m"\nurl = "{url}"\n[workloads.w]\noffers = ["far"]\n'


def answered(offer: Upstream, count: int) -> None:
    """Wait until the offer was asked so often since."""
    wanted, end = len(offer.requests) + count, time.monotonic() + 20
    while len(offer.requests) < wanted:
        assert time.monotonic() < end, "the offer is not asked"
        time.sleep(0.005)


@pytest.mark.timeout(100)
def test_no_kill_loses_a_line_or_tells_one_twice(tmp_path: Path) -> None:
    texts = [f"line {number}" for number in range(LINES)]
    with upstream("slow") as offer:
        isthmus = Isthmus(tmp_path, settings(offer.url))
        with (
            running(isthmus),
            OpenAI(base_url=f"http://127.0.0.1:{isthmus.port}/v1", api_key="none", max_retries=3) as client,
            Anthropic(base_url=f"http://127.0.0.1:{isthmus.port}", api_key="none") as other_client,
        ):
            file = client.files.create(file=("in.jsonl", chat_lines(texts)), purpose="batch")
            batch = client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            messages = other_client.messages.batches
            other = messages.create(requests=[request(f"m-{number}") for number in range(10)])
            for _ in range(KILLS):
                answered(offer, 12)
                isthmus.kill()
                isthmus.start()
            end = time.monotonic() + 40
            while (batch := client.batches.retrieve(batch.id)).status != "completed":
                assert time.monotonic() < end, batch
                time.sleep(0.1)
            while messages.retrieve(other.id).processing_status != "ended":
                assert time.monotonic() < end
                time.sleep(0.1)
            assert batch.output_file_id is not None
            content = client.files.content(batch.output_file_id).content
            told = [msgspec.json.decode(line) for line in content.splitlines()]
            results = list(messages.results(other.id))
        records = isthmus.records()

    assert Counter(line["custom_id"] for line in told) == Counter(texts)
    assert all(line["response"]["status_code"] == 200 for line in told)
    assert Counter(one.custom_id for one in results) == Counter(f"m-{number}" for number in range(10))

    outcomes = Counter(record.entry.outcome for record in records)
    assert outcomes["crashed"] >= KILLS, "what was under way at a kill is on record"
    by_id = {record.entry.id: record.entry.outcome for record in records}
    # A kill may take the last group of entries with it whose results were kept already; all others are whole.
    unsettled = [one for line in told if by_id.get(one := line["response"]["request_id"]) != "completed"]
    assert len(unsettled) <= AT_ONCE * KILLS
    said: Counter[str] = Counter(body["messages"][-1]["content"] for body in offer.requests)
    assert said.keys() == {*texts, *(f"m-{number}" for number in range(10))}
    repeated = sum(said.values()) - len(said)
    assert 0 < repeated <= AT_ONCE * KILLS, "only what was under way is asked again"


def request(name: str) -> Any:
    return {
        "custom_id": name,
        "params": {"model": "w", "max_tokens": 9, "messages": [{"role": "user", "content": name}]},
    }
