"""Files and batches through OpenAI's own client, strict about what it is sent."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import openai
import pytest
from openai import AsyncOpenAI
from openai.types import Batch, FileObject
from tests.fakes.batch_scene import BatchScene, chat_lines, offer
from tests.fakes.sender import FakeResponse, refusal

from isthmus.domain.offer import Capabilities

pytestmark = pytest.mark.anyio

CHAT: Any = "/v1/chat/completions"
DONE = {"completed", "failed", "expired", "cancelled"}


@pytest.fixture
def scene(tmp_path: Path) -> BatchScene:
    return BatchScene(tmp_path)


@pytest.fixture
async def client(scene: BatchScene) -> AsyncIterator[AsyncOpenAI]:
    async with scene.openai() as client:
        yield client


async def made(client: AsyncOpenAI, content: bytes, **fields: Any) -> Batch:
    file = await client.files.create(file=("in.jsonl", content), purpose="batch")
    return await client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h", **fields)


async def ended(client: AsyncOpenAI, batch: Batch) -> Batch:
    with anyio.fail_after(15):
        while (batch := await client.batches.retrieve(batch.id)).status not in DONE:
            await anyio.sleep(0.02)
    return batch


async def lines(client: AsyncOpenAI, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    content = (await client.files.content(file)).content
    return [msgspec.json.decode(line) for line in content.splitlines()]


async def test_a_batch_goes_from_file_to_file(scene: BatchScene, client: AsyncOpenAI) -> None:
    batch = await ended(client, await made(client, chat_lines(["one", "two", "three"]), metadata={"job": "7"}))
    assert batch.status == "completed", batch
    assert batch.metadata == {"job": "7"}
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (3, 3, 0)
    assert batch.usage is not None
    assert batch.usage.total_tokens == 45
    assert batch.error_file_id is None
    found = await lines(client, batch.output_file_id)
    assert [line["custom_id"] for line in found] == ["one", "two", "three"]
    assert len({line["id"] for line in found}) == 3
    for line in found:
        assert line["error"] is None
        assert line["response"]["status_code"] == 200
        body = line["response"]["body"]
        assert body["choices"][0]["message"]["content"] == f"re: {line['custom_id']}"
    assert {line["response"]["request_id"] for line in found} == {entry.id for entry in scene.ledger.entries}
    assert {entry.outcome for entry in scene.ledger.entries} == {"completed"}


async def test_what_goes_wrong_with_a_line_is_told_of_that_line_in_the_dialect(
    scene: BatchScene, client: AsyncOpenAI
) -> None:
    good = chat_lines(["good"])
    unknown = chat_lines(["unknown"]).replace(b'"model":"w"', b'"model":"nope"')
    empty = b'{"custom_id":"empty","url":"/v1/chat/completions","body":{}}\n'
    batch = await ended(client, await made(client, good + unknown + empty + chat_lines(["streams"], stream=True)))
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 3)
    assert [line["custom_id"] for line in await lines(client, batch.output_file_id)] == ["good"]
    errors = {line["custom_id"]: line["response"] for line in await lines(client, batch.error_file_id)}
    assert {name: (one["status_code"], one["body"]["error"]["code"]) for name, one in errors.items()} == {
        "unknown": (404, "model_not_found"),
        "empty": (400, "invalid_request"),
        "streams": (400, "invalid_request"),
    }
    assert errors["streams"]["body"]["error"]["param"] == "stream"
    assert all(one["request_id"].startswith("req_") for one in errors.values())
    assert len(scene.ledger.entries) == 4
    assert scene.ledger.balanced


async def test_a_file_that_is_none_of_requests_fails_the_batch_and_names_the_lines(client: AsyncOpenAI) -> None:
    line = chat_lines(["a"])
    wrong = (
        line
        + line
        + b"{\n"
        + b'{"custom_id":"b","url":"/v1/embeddings","body":{}}\n'
        + b'{"custom_id":"c","url":"/v1/chat/completions","body":[]}\n'
        + b'{"custom_id":"d","url":"/v1/chat/completions","body":{},"method":"GET"}\n'
        + b'{"url":"/v1/chat/completions","body":{}}\n'
    )
    batch = await ended(client, await made(client, wrong))
    assert batch.status == "failed"
    assert batch.failed_at is not None
    assert batch.errors is not None
    assert [(error.line, error.code) for error in batch.errors.data or ()] == [
        (2, "duplicate_custom_id"),
        (3, "invalid_json_line"),
        (4, "invalid_url"),
        (5, "invalid_request"),
        (6, "invalid_method"),
        (7, "invalid_request"),
    ]
    assert batch.output_file_id is None


@pytest.mark.parametrize("content", [b"", b"\n\n"])
async def test_a_file_without_requests_fails_the_batch(client: AsyncOpenAI, content: bytes) -> None:
    batch = await ended(client, await made(client, content))
    assert batch.errors is not None
    assert [error.code for error in batch.errors.data or ()] == ["empty_file"]


async def test_files_are_told_listed_by_page_and_deleted(client: AsyncOpenAI) -> None:
    made = [await client.files.create(file=(f"{n}.jsonl", b"x" * n), purpose="batch") for n in range(1, 6)]
    await client.files.create(file=b"other", purpose="user_data")
    assert [(one.filename, one.bytes, one.purpose) for one in made[:2]] == [
        ("1.jsonl", 1, "batch"),
        ("2.jsonl", 2, "batch"),
    ]
    assert await client.files.retrieve(made[2].id) == made[2]
    assert (await client.files.content(made[2].id)).content == b"xxx"
    listed = [file.id async for file in client.files.list(purpose="batch", limit=2)]
    assert listed == [file.id for file in reversed(made)]
    upwards = [file.id async for file in client.files.list(purpose="batch", limit=2, order="asc", after=made[1].id)]
    assert upwards == [file.id for file in made[2:]]
    assert (await client.files.delete(made[0].id)).deleted
    for gone in (client.files.retrieve(made[0].id), client.files.content(made[0].id), client.files.delete(made[0].id)):
        with pytest.raises(openai.NotFoundError, match="There is no file"):
            await gone


async def test_a_large_file_comes_back_byte_for_byte(client: AsyncOpenAI) -> None:
    content = bytes(range(256)) * 5000 + b"\r\n--boundary\r\n"
    file = await client.files.create(file=('ä "quoted".bin', content), purpose="batch")
    assert (await client.files.content(file.id)).content == content
    assert file.bytes == len(content)


async def test_a_file_is_kept_as_long_as_was_asked_for(scene: BatchScene, client: AsyncOpenAI) -> None:
    hour: Any = {"anchor": "created_at", "seconds": 3600}
    file = await client.files.create(file=b"x", purpose="batch", expires_after=hour)
    assert file.expires_at == file.created_at + 3600
    scene.clock.pass_(timedelta(hours=1, seconds=1))
    with pytest.raises(openai.NotFoundError):
        await client.files.retrieve(file.id)
    assert [one async for one in client.files.list()] == []
    scene.store.sweep(scene.clock())
    with scene.database.transaction(writing=False) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM file_pieces").scalar() == 0
    for wrong in (
        {"anchor": "created_at", "seconds": 5},
        {"anchor": "created_at", "seconds": 10**15},
        {"anchor": "last", "seconds": 3600},
    ):
        with pytest.raises(openai.BadRequestError, match="expires_after"):
            await client.files.create(file=b"x", purpose="batch", expires_after=wrong)  # type: ignore[arg-type]


async def test_how_long_a_file_is_kept_may_be_said_in_one_field_of_json(client: AsyncOpenAI) -> None:
    """As OpenAI's OpenAPI has it; its clients say it in two fields with brackets."""

    async def upload(**fields: str) -> FileObject:
        return await client.post(
            "/files", body={"purpose": "batch", **fields}, files=[("file", b"x")], cast_to=FileObject,
            options={"headers": {"content-type": "multipart/form-data"}},
        )  # fmt: skip

    file = await upload(expires_after='{"anchor": "created_at", "seconds": 3600}')
    assert file.expires_at == file.created_at + 3600
    for wrong in ('{"anchor": "created_at", "seconds": 273983012491202}', '{"anchor": "created_at"}', "an hour"):
        with pytest.raises(openai.BadRequestError):
            await upload(expires_after=wrong)
    with pytest.raises(openai.BadRequestError, match="twice"):
        await upload(**{"expires_after": '{"anchor": "created_at", "seconds": 3600}', "expires_after[seconds]": "5"})
    with pytest.raises(openai.BadRequestError, match="not known here"):
        await upload(expires="soon")


async def test_batches_are_listed_by_page_newest_first(client: AsyncOpenAI) -> None:
    ids = [(await made(client, chat_lines(["a"]))).id for _ in range(5)]
    assert [batch.id async for batch in client.batches.list(limit=2)] == ids[::-1]
    page = await client.batches.list(limit=2, after=ids[3])
    assert [batch.id for batch in page.data] == [ids[2], ids[1]]
    assert page.has_more


async def test_what_cannot_be_a_batch_is_refused_at_once(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=b"x", purpose="batch")
    for changes, message in (
        ({"endpoint": "/v1/images/edits"}, "There are no batches for"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"a": "x" * 513}}, "metadata"),
        ({"metadata": {"isthmus-lables": "phi"}}, "isthmus"),
        ({"metadata": {"isthmus-labels": "Not A Label"}}, "isthmus-labels"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "seconds"),
    ):
        asked: dict[str, Any] = {"endpoint": CHAT, "completion_window": "24h", "input_file_id": file.id} | changes
        with pytest.raises(openai.BadRequestError, match=message):
            await client.batches.create(**asked)
    with pytest.raises(openai.NotFoundError, match="There is no file"):
        await client.batches.create(endpoint=CHAT, completion_window="24h", input_file_id="file-none")
    with pytest.raises(openai.BadRequestError, match="purpose"):
        await client.files.create(file=b"x", purpose="spying")  # type: ignore[arg-type]


async def test_an_output_is_no_input(client: AsyncOpenAI) -> None:
    batch = await ended(client, await made(client, chat_lines(["a"])))
    assert batch.output_file_id is not None
    assert (await client.files.retrieve(batch.output_file_id)).purpose == "batch_output"
    with pytest.raises(openai.BadRequestError, match="not handed over for a batch"):
        await client.batches.create(endpoint=CHAT, completion_window="24h", input_file_id=batch.output_file_id)


async def test_another_tenant_is_told_that_nothing_is_there(scene: BatchScene, client: AsyncOpenAI) -> None:
    batch = await ended(client, await made(client, chat_lines(["a"])))
    assert batch.output_file_id is not None
    other = client.with_options(api_key="blue")
    assert (await other.batches.list()).data == []
    assert (await other.files.list()).data == []
    for asked in (
        other.batches.retrieve(batch.id),
        other.batches.cancel(batch.id),
        other.files.retrieve(batch.output_file_id),
        other.files.content(batch.output_file_id),
        other.files.delete(batch.input_file_id),
        other.batches.create(endpoint=CHAT, completion_window="24h", input_file_id=batch.input_file_id),
    ):
        with pytest.raises(openai.NotFoundError, match="There is no"):
            await asked
    assert await lines(client, batch.output_file_id)


async def test_an_offer_that_refuses_a_line_is_told_as_it_would_be_elsewhere(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path, answers=lambda o, r: refusal(400, "too spicy"))
    async with scene.openai() as client:
        batch = await ended(client, await made(client, chat_lines(["a"])))
        (error,) = await lines(client, batch.error_file_id)
    assert error["response"]["status_code"] == 400
    assert "too spicy" in error["response"]["body"]["error"]["message"]
    assert len(scene.sender.sent) == 1


async def test_no_answer_of_an_offer_stays_half_read(scene: BatchScene, client: AsyncOpenAI) -> None:
    await ended(client, await made(client, chat_lines(map(str, range(30)))))
    assert len(scene.sender.responses) == 30
    assert all(one.read_to_end for one in scene.sender.responses)


@pytest.mark.parametrize(
    ("endpoint", "asked", "answer", "told"),
    [
        (
            "/v1/embeddings",
            {"input": "hello"},
            {
                "object": "list",
                "model": "m",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
                "usage": {"prompt_tokens": 3, "total_tokens": 3},
            },
            {"object": "list"},
        ),
        (
            "/v1/moderations",
            {"input": "hello"},
            {
                "id": "modr-1",
                "model": "m",
                "results": [
                    {
                        "flagged": False,
                        "categories": {"hate": False},
                        "category_scores": {"hate": 0.1},
                        "category_applied_input_types": {"hate": ["text"]},
                    }
                ],
            },
            {"id": "modr-1"},
        ),
        (
            "/v1/responses",
            {"input": "hello"},
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
            },
            {"object": "response", "status": "completed"},
        ),
    ],
)
async def test_a_batch_may_be_for_any_endpoint_that_answers_whole(
    tmp_path: Path, endpoint: str, asked: dict[str, Any], answer: dict[str, Any], told: dict[str, Any]
) -> None:
    able = Capabilities(embeddings="yes", moderation="yes")
    scene = BatchScene(
        tmp_path,
        answers=lambda _o, _r: FakeResponse(pieces=[msgspec.json.encode(answer)]),
        offers=(offer(capabilities=able),),
    )
    line = msgspec.json.encode({"custom_id": "a", "url": endpoint, "body": {"model": "w", **asked}})
    async with scene.openai() as client:
        file = await client.files.create(file=line, purpose="batch")
        path: Any = endpoint
        batch = await client.batches.create(input_file_id=file.id, endpoint=path, completion_window="24h")
        batch = await ended(client, batch)
        assert batch.error_file_id is None, await lines(client, batch.error_file_id)
        (found,) = await lines(client, batch.output_file_id)
    body = found["response"]["body"]
    assert {name: body[name] for name in told} == told
