"""Every endpoint on the one road: whatever is asked for, labels, choice and ledger are the same."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.fakes.client import RawClient, connected
from tests.fakes.http_server import listening
from tests.fakes.keeper import MemoryKeeper
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.sender import DONE, USAGE, Behaviour, FakeResponse, FakeSender, completion, delta, refusal

from isthmus.domain.crossing import WireRequest
from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Capabilities, Offer, Workload
from isthmus.domain.principal import Key, Principal
from isthmus.gateway.connection import Connections
from isthmus.gateway.gateway import Gateway
from isthmus.gateway.keyring import KeyRing
from isthmus.perimeter.gate import Gate
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

pytestmark = pytest.mark.anyio

MESSAGES: dict[str, object] = {
    "model": "chat",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "hi"}],
}
CONTENTS: dict[str, object] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
SECRET = "ik-test"
ONE_KEY = Key(name="k", hash=hashlib.sha256(SECRET.encode()).digest(), principal=Principal(key="k"))


def offer(name: str, dialect: str, **can: str) -> Offer:
    return Offer(
        name=name,
        model=f"{name}-model",
        provider="test",
        dialect=dialect,
        base_url="http://x",
        side="closed",
        clearance=Clearance(frozenset({Label("internal")})),
        capabilities=Capabilities(**can),  # type: ignore[arg-type]  # the tests name capabilities
    )


OFFERS = (
    offer("chat", "openai-chat"),
    offer("claude", "anthropic-messages"),
    offer("gemini", "gemini-generate"),
    offer("vectors", "openai-chat", completions="no", embeddings="yes"),
    offer("gvectors", "gemini-generate", completions="no", embeddings="yes"),
    offer("judge", "openai-chat", completions="no", moderation="yes"),
)


class Scene:
    """A gateway before offers of all dialects, which answer as a test says."""

    def __init__(self, behaviour: Behaviour, *, keys: tuple[Key, ...] = (), keeps: bool = False) -> None:
        workloads = {
            one.name: Workload(name=one.name, offers=(one.name,), attempts=1, keep_days=1.0 if keeps else None)
            for one in OFFERS
        }
        roster = Roster(
            offers={one.name: one for one in OFFERS}, workloads=workloads, default_workload="chat", version="v1"
        )
        self.sender = FakeSender({one.name: [behaviour] for one in OFFERS})
        self.ledger = MemoryRecorder()
        self.keeper = MemoryKeeper()
        self.road = Road(roster, self.sender, self.ledger, Gate(), keeper=self.keeper)
        ring = KeyRing({known.hash: known for known in keys}, open_without_keys=True)
        self.gateway = Gateway(self.road, ring)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RawClient]:
        async with listening(self.gateway, Connections()) as port, connected(port) as client:
            yield client

    @property
    def sent(self) -> WireRequest:
        [(_, request)] = self.sender.sent
        return request


def whole(**fields: object) -> Behaviour:
    """Answers so, as often as it is asked."""
    return lambda offer, request: FakeResponse(pieces=[json.dumps(fields).encode()])


async def test_anthropics_client_is_served_by_an_offer_of_another_dialect() -> None:
    scene = Scene(completion("hello"))
    async with scene.client() as client:
        reply = await client.request("POST", "/v1/messages", MESSAGES, {"anthropic-version": "2023-06-01"})
    assert reply.status == 200
    assert reply.json["type"] == "message"
    assert reply.json["content"] == [{"type": "text", "text": "hello"}]
    assert scene.sent.path == "/chat/completions"
    assert (scene.ledger.entry.dialect, scene.ledger.entry.offer) == ("anthropic-messages", "chat")


async def test_geminis_client_names_model_and_streaming_in_the_path() -> None:
    scene = Scene(FakeResponse(pieces=[delta("hel"), delta("lo", "stop"), USAGE, DONE]))
    async with scene.client() as client:
        reply = await client.request("POST", "/v1beta/models/chat:streamGenerateContent?alt=sse", CONTENTS)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix(b"data: ")) for line in reply.body.splitlines() if line.startswith(b"data:")]
    texts = [part["text"] for event in events for part in event["candidates"][0]["content"].get("parts", ())]
    assert "".join(texts) == "hello"
    assert json.loads(scene.sent.body)["stream"] is True
    assert (scene.ledger.entry.model, scene.ledger.entry.streamed) == ("chat", True)


async def test_geminis_stream_is_one_json_array_where_no_events_are_asked_for() -> None:
    scene = Scene(FakeResponse(pieces=[delta("hel"), delta("lo", "stop"), USAGE, DONE]))
    async with scene.client() as client:
        reply = await client.request("POST", "/v1beta/models/chat:streamGenerateContent", CONTENTS)
    assert reply.headers["content-type"] == "application/json"
    answers = json.loads(reply.body)
    texts = [part["text"] for answer in answers for part in answer["candidates"][0]["content"].get("parts", ())]
    assert "".join(texts) == "hello"


@pytest.mark.parametrize(
    ("path", "body", "read"),
    [
        ("/v1/messages", MESSAGES | {"model": "nothing"}, lambda told: told["error"]["type"]),
        ("/v1beta/models/nothing:generateContent", CONTENTS, lambda told: told["error"]["status"]),
        ("/v1/embeddings", {"model": "nothing", "input": "hi"}, lambda told: told["error"]["type"]),
        ("/v1/moderations", {"model": "nothing", "input": "hi"}, lambda told: told["error"]["type"]),
    ],
)
async def test_an_unknown_model_is_told_in_the_shape_of_who_asks(
    path: str, body: object, read: Callable[[dict[str, object]], object]
) -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", path, body)
    assert reply.status == 404
    assert read(reply.json) in {"not_found_error", "NOT_FOUND"}
    assert scene.ledger.entry.outcome == "refused"


@pytest.mark.parametrize("headers", [{"x-api-key": SECRET}, {"x-goog-api-key": SECRET}])
async def test_a_key_is_read_where_each_vendors_clients_put_it(headers: dict[str, str]) -> None:
    scene = Scene(completion(), keys=(ONE_KEY,))
    async with scene.client() as client:
        assert (await client.request("POST", "/v1/messages", MESSAGES)).status == 401
        assert (await client.request("POST", "/v1/messages", MESSAGES, headers)).status == 200
        assert (await client.request("GET", "/v1beta/models", None, headers)).status == 200
        assert (await client.request("GET", f"/v1beta/models?key={SECRET}")).status == 200
        assert (await client.request("GET", f"/v1/models?key={SECRET}")).status == 401


async def test_embeddings_pass_through_and_are_translated() -> None:
    scene = Scene(whole(data=[{"embedding": [1.0], "index": 0}], model="m", usage={"prompt_tokens": 3}))
    async with scene.client() as client:
        reply = await client.request("POST", "/v1/embeddings", {"model": "vectors", "input": "hi"})
        translated = await client.request(
            "POST",
            "/v1beta/models/vectors:batchEmbedContents",
            {"requests": [{"content": {"parts": [{"text": "hi"}]}}]},
        )
    assert reply.status == 200
    assert [request.path for _, request in scene.sender.sent] == ["/embeddings", "/embeddings"]
    assert json.loads(scene.sender.sent[0][1].body) == {"model": "vectors-model", "input": "hi"}
    assert translated.json["embeddings"] == [{"values": [1.0]}]
    assert [entry.usage.input for entry in scene.ledger.entries if entry.usage is not None] == [3, 3]


async def test_openais_client_gets_vectors_of_gemini() -> None:
    scene = Scene(whole(embeddings=[{"values": [1.0]}, {"values": [2.0]}]))
    async with scene.client() as client:
        reply = await client.request("POST", "/v1/embeddings", {"model": "gvectors", "input": ["a", "b"], "user": "u"})
    assert scene.sent.path == "/v1beta/models/gvectors-model:batchEmbedContents"
    data = reply.json["data"]
    assert isinstance(data, list)
    assert [vector["embedding"] for vector in data] == [[1.0], [2.0]]
    assert "user" in reply.headers["isthmus-adapted"]


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/embeddings", "chat"),
        ("/v1/moderations", "chat"),
        ("/v1/embeddings", "claude"),
        ("/v1/moderations", "vectors"),
    ],
)
async def test_what_is_not_known_to_do_it_is_not_asked(path: str, model: str) -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", path, {"model": model, "input": "hi"})
    assert (reply.status, reply.error["code"]) == (400, "no_capable_offer")
    assert not scene.sender.sent


async def test_a_model_for_vectors_is_not_asked_to_answer_in_words() -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", "/v1/messages", MESSAGES | {"model": "vectors"})
    assert reply.status == 400
    assert not scene.sender.sent


async def test_moderation_is_served_by_an_offer_that_is_for_it() -> None:
    scene = Scene(whole(id="modr-1", model="m", results=[{"flagged": True, "categories": {}, "category_scores": {}}]))
    async with scene.client() as client:
        reply = await client.request("POST", "/v1/moderations", {"model": "judge", "input": "hi"})
    assert reply.status == 200
    assert scene.sent.path == "/moderations"
    assert scene.ledger.entry.outcome == "completed"


async def test_tokens_are_counted_by_who_would_serve() -> None:
    scene = Scene(whole(input_tokens=11))
    async with scene.client() as client:
        same = await client.request("POST", "/v1/messages/count_tokens", MESSAGES | {"model": "claude"})
        other = await client.request("POST", "/v1beta/models/claude:countTokens", CONTENTS)
    assert same.json == {"input_tokens": 11}
    assert other.json == {"totalTokens": 11}
    assert [request.path for _, request in scene.sender.sent] == ["/v1/messages/count_tokens"] * 2


async def test_where_nobody_can_count_an_estimate_is_made_and_nothing_crosses() -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", "/v1/messages/count_tokens", MESSAGES)
    assert reply.status == 200
    tokens = reply.json["input_tokens"]
    assert isinstance(tokens, int)
    assert tokens > 0
    assert "estimated" in reply.headers["isthmus-adapted"]
    assert not scene.sender.sent
    assert scene.ledger.entry.outcome == "completed"


async def test_where_a_server_does_not_count_after_all_an_estimate_is_made() -> None:
    scene = Scene(refusal(404))
    async with scene.client() as client:
        reply = await client.request("POST", "/v1/messages/count_tokens", MESSAGES | {"model": "claude"})
    assert reply.status == 200
    assert "estimated" in reply.headers["isthmus-adapted"]
    assert [attempt.error for attempt in scene.ledger.entry.attempts] == ["upstream_error"]
    assert scene.ledger.entry.outcome == "completed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", MESSAGES),
        ("/v1/messages/count_tokens", MESSAGES | {"model": "claude"}),
        ("/v1beta/models/gemini:generateContent", CONTENTS),
        ("/v1beta/models/gemini:countTokens", CONTENTS),
        ("/v1/embeddings", {"model": "vectors", "input": "hi"}),
        ("/v1beta/models/vectors:embedContent", {"content": {"parts": [{"text": "hi"}]}}),
        ("/v1/moderations", {"model": "judge", "input": "hi"}),
    ],
)
async def test_what_is_not_cleared_crosses_at_no_endpoint(path: str, body: object) -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", path, body, {"isthmus-labels": "phi"})
    assert reply.status == 403
    assert not scene.sender.sent
    assert scene.ledger.entry.outcome == "refused"


async def test_models_are_listed_in_the_shape_of_who_asks() -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        openais = (await client.request("GET", "/v1/models")).json
        anthropics = (await client.request("GET", "/v1/models", None, {"anthropic-version": "2023-06-01"})).json
        geminis = (await client.request("GET", "/gemini/v1beta/models")).json
        single = (await client.request("GET", "/v1/models/claude", None, {"anthropic-version": "2023-06-01"})).json
    assert openais["object"] == "list"
    assert anthropics["has_more"] is False
    assert {"models/chat", "models/claude"} <= {model["name"] for model in geminis["models"]}  # type: ignore[attr-defined]
    assert single["type"] == "model"


async def test_a_method_that_a_path_does_not_take_is_told_with_those_it_takes() -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("GET", "/v1/messages", None, {"anthropic-version": "2023-06-01"})
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        assert reply.json["type"] == "error"
        nothing = await client.request("GET", "/v1beta/nothing")
    assert nothing.status == 404
    assert nothing.error["status"] == "NOT_FOUND"


# ------------------------------------------------------------------------------------------- going on from an answer

ASKED: dict[str, object] = {"model": "chat", "input": "my name is Ada"}


async def first_answer(client: RawClient, *, stream: bool = False, headers: dict[str, str] | None = None) -> str:
    """The id of an answer, as the client is told it."""
    reply = await client.request("POST", "/v1/responses", ASKED | {"stream": stream}, headers)
    assert reply.status == 200, reply.body
    if not stream:
        return str(reply.json["id"])
    events = [json.loads(line.removeprefix(b"data: ")) for line in reply.body.splitlines() if line.startswith(b"data:")]
    ids = {event["response"]["id"] for event in events if "response" in event}
    assert len(ids) == 1
    return str(ids.pop())


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_gone_on_from_with_all_that_was_said(*, stream: bool) -> None:
    pieces = FakeResponse(pieces=[delta("hello "), delta("Ada", "stop"), USAGE, DONE])
    scene = Scene(pieces if stream else completion("hello Ada"), keeps=True)
    async with scene.client() as client:
        answer = await first_answer(client, stream=stream)
        assert answer == scene.ledger.entry.id.replace("req_", "resp_")
        scene.sender.behaviours["claude"] = [
            whole(
                id="msg_1",
                type="message",
                role="assistant",
                model="m",
                content=[{"type": "text", "text": "Ada"}],
                stop_reason="end_turn",
                usage={"input_tokens": 1, "output_tokens": 1},
            )
        ]
        more = {"model": "claude", "input": "what is my name?", "previous_response_id": answer}
        reply = await client.request("POST", "/v1/responses", more)
    assert reply.status == 200, reply.body
    said = json.loads(scene.sender.sent[1][1].body)["messages"]
    texts = [part if isinstance(part, str) else part[0]["text"] for part in (message["content"] for message in said)]
    assert texts == ["my name is Ada", "hello Ada", "what is my name?"]


async def test_what_was_declared_for_an_answer_holds_for_what_goes_on_from_it() -> None:
    scene = Scene(completion("hello"), keeps=True)
    async with scene.client() as client:
        answer = await first_answer(client, headers={"isthmus-labels": "internal"})
        scene.sender.behaviours["chat"] = [completion("again")]
        reply = await client.request("POST", "/v1/responses", ASKED | {"previous_response_id": answer})
    assert reply.headers["isthmus-labels"] == "internal"
    assert [labelled.source for labelled in scene.ledger.entries[-1].labels] == ["previous"]


async def test_where_nothing_is_kept_nothing_can_be_gone_on_from() -> None:
    scene = Scene(completion("hello"))
    async with scene.client() as client:
        answer = await first_answer(client)
        for previous in (answer, "resp_" + "0" * 27, "nonsense"):
            reply = await client.request("POST", "/v1/responses", ASKED | {"previous_response_id": previous})
            assert (reply.status, reply.error["param"]) == (404, "previous_response_id")
    assert len(scene.sender.sent) == 1


async def test_a_kept_answer_is_read_and_deleted_by_its_own_tenant_alone() -> None:
    other = "ik-other"
    keys = (ONE_KEY, Key(name="o", hash=hashlib.sha256(other.encode()).digest(), principal=Principal(tenant="other")))
    scene = Scene(completion("hello"), keys=keys, keeps=True)
    mine, theirs = {"authorization": f"Bearer {SECRET}"}, {"authorization": f"Bearer {other}"}
    async with scene.client() as client:
        answer = await first_answer(client, headers=mine)
        path = f"/v1/responses/{answer}"
        for method in ("GET", "DELETE"):
            assert (await client.request(method, path, None, theirs)).status == 404
        stolen = await client.request("POST", "/v1/responses", ASKED | {"previous_response_id": answer}, theirs)
        assert stolen.status == 404
        read = await client.request("GET", path, None, mine)
        assert (read.status, read.json["id"]) == (200, answer)
        items = (await client.request("GET", path + "/input_items", None, mine)).json
        assert items["object"] == "list"
        assert "my name is Ada" in json.dumps(items)
        assert (await client.request("DELETE", path, None, mine)).json["deleted"] is True
        assert (await client.request("GET", path, None, mine)).status == 404


async def test_what_was_said_before_an_answer_is_listed_by_page() -> None:
    scene = Scene(completion("hello"), keeps=True)
    async with scene.client() as client:
        said = [{"role": "user", "content": text} for text in ("one", "two", "three")]
        answer = (await client.request("POST", "/v1/responses", ASKED | {"input": said})).json["id"]
        path = f"/v1/responses/{answer}/input_items"

        async def page(query: str) -> tuple[list[str], dict[str, Any]]:
            told: dict[str, Any] = (await client.request("GET", path + query)).json
            return [item["content"][0]["text"] for item in told["data"]], told

        texts, told = await page("?limit=2")
        assert (texts, told["has_more"]) == (["three", "two"], True)
        texts, told = await page(f"?limit=2&after={told['last_id']}")
        assert (texts, told["has_more"]) == (["one"], False)
        assert (await page("?order=asc"))[0] == ["one", "two", "three"]
        assert (await page("?after=nobody"))[1] == {
            "object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False
        }  # fmt: skip
        assert (await client.request("GET", path + "?order=upwards")).status == 400
        for query in ("?stream=true", "?stream=1", "?starting_after=3"):
            assert (await client.request("GET", f"/v1/responses/{answer}{query}")).status == 400
        assert (await client.request("GET", f"/v1/responses/{answer}?stream=false")).status == 200
