"""Message batches through Anthropic's own client, strict about what it is sent."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import anthropic
import anyio
import pytest
from anthropic import AsyncAnthropic
from anthropic.types.messages import MessageBatch
from tests.fakes.batch_scene import BatchScene, offer

pytestmark = pytest.mark.anyio


@pytest.fixture
def scene(tmp_path: Path) -> BatchScene:
    return BatchScene(tmp_path)


@pytest.fixture
async def client(scene: BatchScene) -> AsyncIterator[AsyncAnthropic]:
    async with scene.anthropic() as client:
        yield client


def requests(texts: Iterable[str], **fields: Any) -> Any:
    return [
        {
            "custom_id": text,
            "params": {"model": "w", "max_tokens": 9, "messages": [{"role": "user", "content": text}], **fields},
        }
        for text in texts
    ]


async def ended(client: AsyncAnthropic, batch: MessageBatch) -> MessageBatch:
    with anyio.fail_after(15):
        while (batch := await client.messages.batches.retrieve(batch.id)).processing_status != "ended":
            assert batch.results_url is None
            await anyio.sleep(0.02)
    return batch


async def results(client: AsyncAnthropic, batch: MessageBatch) -> dict[str, Any]:
    return {one.custom_id: one.result async for one in await client.messages.batches.results(batch.id)}


async def test_a_batch_is_answered_in_messages(scene: BatchScene, client: AsyncAnthropic) -> None:
    made = await client.messages.batches.create(requests=requests(["one", "two", "three"]))
    assert made.processing_status == "in_progress"
    assert made.request_counts.processing == 3
    batch = await ended(client, made)
    assert batch.ended_at is not None
    assert batch.request_counts.model_dump() == {
        "processing": 0,
        "succeeded": 3,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    found = await results(client, batch)
    assert list(found) == ["one", "two", "three"]
    for name, result in found.items():
        assert result.type == "succeeded"
        assert result.message.content[0].text == f"re: {name}"
        assert result.message.usage.output_tokens == 5
    assert {entry.dialect for entry in scene.ledger.entries} == {"anthropic-messages"}


async def test_what_goes_wrong_with_a_request_is_told_of_that_request_in_the_dialect(client: AsyncAnthropic) -> None:
    asked = requests(["good"]) + requests(["unknown"], model="nope") + requests(["streams"], stream=True)
    batch = await ended(client, await client.messages.batches.create(requests=asked))
    assert (batch.request_counts.succeeded, batch.request_counts.errored) == (1, 2)
    found = await results(client, batch)
    assert found["good"].type == "succeeded"
    assert found["unknown"].error.error.type == "not_found_error"
    assert found["unknown"].error.request_id.startswith("req_")
    assert found["streams"].error.error.type == "invalid_request_error"


async def test_batches_are_listed_by_page_in_both_directions(client: AsyncAnthropic) -> None:
    ids = [(await client.messages.batches.create(requests=requests(["a"]))).id for _ in range(5)][::-1]
    assert [batch.id async for batch in client.messages.batches.list(limit=2)] == ids
    page = await client.messages.batches.list(limit=2, before_id=ids[4])
    assert ([batch.id for batch in page.data], page.has_more) == (ids[2:4], True)
    page = await client.messages.batches.list(limit=2, before_id=ids[1])
    assert ([batch.id for batch in page.data], page.has_more) == (ids[:1], False)
    page = await client.messages.batches.list(after_id=ids[3])
    assert ([batch.id for batch in page.data], page.first_id, page.last_id) == (ids[4:], ids[4], ids[4])


async def test_a_batch_that_has_ended_can_be_deleted_and_then_nothing_is_there(
    scene: BatchScene, client: AsyncAnthropic
) -> None:
    batch = await ended(client, await client.messages.batches.create(requests=requests(["a"])))
    deleted = await client.messages.batches.delete(batch.id)
    assert (deleted.id, deleted.type) == (batch.id, "message_batch_deleted")
    with pytest.raises(anthropic.NotFoundError, match="There is no batch"):
        await client.messages.batches.retrieve(batch.id)
    with scene.database.transaction(writing=False) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM batch_lines").scalar() == 0


async def test_a_batch_under_way_has_no_results_and_can_be_cancelled_but_not_deleted(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path, offers=(offer(side="own"),), idle=lambda _: False)
    async with scene.anthropic() as client:
        batches = client.messages.batches
        batch = await batches.create(requests=requests(["a", "b"]))
        with pytest.raises(anthropic.BadRequestError, match="not ended"):
            await batches.delete(batch.id)
        with pytest.raises(anthropic.BadRequestError, match="not ended"):
            await client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)
        cancelled = await batches.cancel(batch.id)
        assert cancelled.processing_status == "canceling"
        assert cancelled.cancel_initiated_at is not None
        batch = await ended(client, batch)
        assert batch.request_counts.canceled == 2
        assert {result.type for result in (await results(client, batch)).values()} == {"canceled"}
        with pytest.raises(anthropic.BadRequestError, match="has ended"):
            await batches.cancel(batch.id)
    assert scene.sender.sent == []


async def test_another_tenant_is_told_that_nothing_is_there(client: AsyncAnthropic) -> None:
    batch = await ended(client, await client.messages.batches.create(requests=requests(["a"])))
    other = client.with_options(api_key="blue").messages.batches
    assert (await other.list()).data == []
    for asked in (other.retrieve(batch.id), other.cancel(batch.id), other.delete(batch.id)):
        with pytest.raises(anthropic.NotFoundError, match="There is no batch"):
            await asked
    assert await results(client, batch)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([], "at least one"),
        (requests(["a", "a"]), "requests.1.custom_id"),
        (requests(["a b"]), "requests.0.custom_id"),
        ([{"custom_id": "a"}], "params is missing"),
    ],
)
async def test_what_cannot_be_a_batch_is_refused_at_once(client: AsyncAnthropic, asked: Any, message: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message):
        await client.messages.batches.create(requests=asked)
