import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.fakes.client import RawClient, connected, request_bytes
from tests.fakes.http_server import listening
from tests.fakes.keeper import MemoryKeeper
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.sender import DONE, USAGE, Behaviour, FakeResponse, FakeSender, completion, delta, refusal

from isthmus.domain.label import Clearance, Label
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.principal import Key, Principal
from isthmus.domain.usage import Price
from isthmus.gateway.connection import Connections
from isthmus.gateway.gateway import Gateway, GatewayLimits, Readiness
from isthmus.gateway.keyring import KeyRing
from isthmus.perimeter.gate import Gate
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
HELLO: dict[str, object] = {"model": "w", "messages": [{"role": "user", "content": "hi"}]}
STREAM = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
SECRET = "ik-test"


def key(**changes: object) -> Key:
    fields: dict[str, object] = {
        "name": "k",
        "hash": hashlib.sha256(SECRET.encode()).digest(),
        "principal": Principal(team="red", key="k"),
    }
    return Key(**(fields | changes))  # type: ignore[arg-type]  # the tests name fields of Key


@dataclass
class Scene:
    """A gateway before a road whose offer `a` behaves as a test says."""

    behaviour: Behaviour
    keys: tuple[Key, ...] = ()
    open_without_keys: bool = True
    limits: GatewayLimits = field(default_factory=GatewayLimits)
    connections: Connections = field(default_factory=Connections)

    def __post_init__(self) -> None:
        offer = Offer(
            name="a",
            model="a-model",
            provider="test",
            dialect="openai-chat",
            base_url="http://x/v1",
            side="closed",
            clearance=Clearance(frozenset({Label("pii")})),
            price=Price(input=Decimal(1), output=Decimal(2), source="test"),
        )
        workload = Workload(name="w", offers=("a",), attempts=1)
        roster = Roster(offers={"a": offer}, workloads={"w": workload}, default_workload="w", version="v1")
        self.sender = FakeSender({"a": [self.behaviour]})
        self.ledger = MemoryRecorder()
        self.road = Road(roster, self.sender, self.ledger, Gate())
        ring = KeyRing({known.hash: known for known in self.keys}, open_without_keys=self.open_without_keys)
        self.gateway = Gateway(self.road, ring, limits=self.limits)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RawClient]:
        async with listening(self.gateway, self.connections) as port, connected(port) as client:
            yield client


async def until(condition: object) -> None:
    """Wait for something that must come soon."""
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


async def test_a_completion_comes_with_what_it_took() -> None:
    scene = Scene(completion("hello"))
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, {"isthmus-labels": "pii", "isthmus-conversation": "c1"})
    assert reply.status == 200
    assert reply.headers["isthmus-offer"] == "a"
    assert reply.headers["isthmus-side"] == "closed"
    assert reply.headers["isthmus-labels"] == "pii"
    assert reply.headers["isthmus-cost"] == "0.00002"
    assert reply.headers["isthmus-request"] == scene.ledger.entry.id == reply.headers["x-request-id"]
    assert scene.ledger.entry.conversation == "c1"
    assert b"hello" in reply.body


async def test_a_stream_that_is_kept_comes_whole() -> None:
    """It runs a piece behind, so nothing of it is there when the answer begins."""
    pieces = [delta("hel"), delta("lo", "stop"), USAGE, DONE]
    scene = Scene(FakeResponse(pieces=pieces))
    keeper = MemoryKeeper()
    workload = replace(scene.road.roster.workloads["w"], keep_days=1.0)
    roster = replace(scene.road.roster, workloads={"w": workload})
    scene.gateway.road = Road(roster, scene.sender, scene.ledger, scene.road.gate, keeper=keeper)
    async with scene.client() as client:
        await client.send(request_bytes("POST", CHAT, STREAM))
        _, headers = await client.head()
        assert [piece async for piece in client.pieces(headers)] == pieces
    assert [kept.answer_text for kept in keeper.kept] == ["hello"]


async def test_a_stream_is_passed_on_piece_by_piece() -> None:
    scene = Scene(FakeResponse(pieces=[delta("hel"), delta("lo", "stop"), USAGE, DONE]))
    async with scene.client() as client:
        await client.send(request_bytes("POST", CHAT, STREAM))
        status, headers = await client.head()
        pieces = [piece async for piece in client.pieces(headers)]
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert pieces == [delta("hel"), delta("lo", "stop"), USAGE, DONE]
    assert scene.ledger.entry.outcome == "completed"


async def test_a_connection_serves_one_request_after_another() -> None:
    scene = Scene(lambda offer, request: completion())
    async with scene.client() as client:
        for _ in range(3):
            assert (await client.request("POST", CHAT, HELLO)).status == 200
    assert len(scene.ledger.entries) == 3


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    answers = iter(["one", "two", "three"])
    scene = Scene(lambda offer, request: completion(next(answers)))
    async with scene.client() as client:
        await client.send(request_bytes("POST", CHAT, HELLO) * 3)
        for word in (b"one", b"two", b"three"):
            assert word in (await client.reply()).body


async def test_a_body_may_come_in_pieces_and_after_asking_for_leave() -> None:
    scene = Scene(completion())
    request = request_bytes("POST", CHAT, HELLO, {"expect": "100-continue"})
    head, body = request.split(b"\r\n\r\n", 1)
    async with scene.client() as client:
        await client.send(head + b"\r\n\r\n")
        assert (await client.head())[0] == 100
        for at in range(0, len(body), 7):
            await client.send(body[at : at + 7])
            await asyncio.sleep(0)
        assert (await client.reply()).status == 200


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 401), ("Bearer wrong", 401), ("Basic abc", 401), (f"Bearer {SECRET}", 200), (f"bearer {SECRET}", 200)],
)
async def test_once_a_key_exists_only_its_bearer_is_served(authorization: str | None, status: int) -> None:
    scene = Scene(completion(), keys=(key(),))
    headers = {} if authorization is None else {"authorization": authorization}
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, headers)
    assert reply.status == status
    if status == 401:
        assert reply.error["code"] == "invalid_api_key"
        assert scene.sender.sent == []
        assert b"wrong" not in reply.body
    else:
        assert scene.ledger.entry.principal == Principal(team="red", key="k")


async def test_an_expired_key_says_so() -> None:
    scene = Scene(completion(), keys=(key(expires=datetime.now(UTC) - timedelta(days=1)),))
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, {"authorization": f"Bearer {SECRET}"})
    assert reply.status == 401
    assert "expired" in str(reply.error["message"])


async def test_the_labels_of_a_key_are_on_every_request_and_cannot_be_taken_off() -> None:
    scene = Scene(completion(), keys=(key(labels=frozenset({Label("phi")})),))
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, {"authorization": f"Bearer {SECRET}", "isthmus-labels": ""})
    assert reply.status == 403
    assert reply.error["code"] == "perimeter_denied"
    assert scene.sender.sent == []


async def test_a_key_for_other_workloads_is_not_served() -> None:
    scene = Scene(completion(), keys=(key(workloads=frozenset({"other"})),))
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, {"authorization": f"Bearer {SECRET}"})
    assert reply.status == 403
    assert scene.sender.sent == []


async def test_without_keys_nobody_is_served_where_others_can_reach() -> None:
    scene = Scene(completion(), open_without_keys=False)
    async with scene.client() as client:
        assert (await client.request("POST", CHAT, HELLO)).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"host": "evil.test"},
        {"host": "localhost.evil.test:8090"},
        {"host": "127.0.0.1.evil.test"},
    ],
)
async def test_without_keys_a_web_page_cannot_use_the_gateway_of_its_visitor(headers: dict[str, str]) -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, headers)
    assert reply.status == 400
    assert scene.sender.sent == []


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8090", "LOCALHOST", "Localhost.:8090", "127.0.0.1:8090", "[::1]:8090"]
)
async def test_without_keys_programmes_of_this_machine_are_served(host: str) -> None:
    async with Scene(completion()).client() as client:
        assert (await client.request("POST", CHAT, HELLO, {"host": host})).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", CHAT, 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/nothing", 404, "unknown_path"),
        ("GET", "/v1/models/nobody", 404, "model_not_found"),
    ],
)
async def test_a_wrong_address_is_told_in_the_shape_of_an_openai_error(
    method: str, path: str, status: int, code: str
) -> None:
    async with Scene(completion()).client() as client:
        reply = await client.request(method, path, HELLO if method == "POST" else None)
    assert (reply.status, reply.error["code"]) == (status, code)


async def test_workloads_and_offers_are_listed_as_models() -> None:
    async with Scene(completion()).client() as client:
        listed = await client.request("GET", "/v1/models")
        single = await client.request("GET", "/v1/models/a")
    data = listed.json["data"]
    assert isinstance(data, list)
    assert [model["id"] for model in data] == ["w", "a"]
    assert single.json["id"] == "a"


async def test_a_decision_is_explained_without_being_carried_out() -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", "/isthmus/v1/explain", HELLO, {"isthmus-labels": "phi"})
    assert reply.json["route"] == []
    labels = reply.json["labels"]
    assert isinstance(labels, list)
    assert [(found["label"], found["source"]) for found in labels] == [("phi", "header")]
    assert scene.sender.sent == []


async def test_health_and_readiness() -> None:
    scene = Scene(completion())
    scene.gateway.readiness = lambda: Readiness(ready=False, waiting_for=["home"])
    async with scene.client() as client:
        assert (await client.request("GET", "/healthz")).status == 200
        reply = await client.request("GET", "/readyz")
    assert (reply.status, reply.json) == (503, {"ready": False, "waiting_for": ["home"]})


async def test_what_there_is_to_ask_for_is_told_to_strangers_too() -> None:
    scene = Scene(completion(), keys=(key(),))
    async with scene.client() as client:
        reply = await client.request("GET", "/isthmus/v1/openapi.json")
    assert (reply.status, reply.json["openapi"]) == (200, "3.1.1")


@pytest.mark.parametrize("how", ["said", "chunked"])
async def test_a_body_over_the_limit_is_refused_and_the_connection_closed(how: str) -> None:
    scene = Scene(completion(), limits=GatewayLimits(body_bytes=1000))
    async with scene.client() as client:
        if how == "said":
            await client.send(request_bytes("POST", CHAT, None, {"content-length": "1001"}))
        else:
            head = request_bytes("POST", CHAT, None, {"transfer-encoding": "chunked"})
            await client.send(head.replace(b"content-length: 0\r\n", b"") + (b"1f4\r\n" + b"x" * 500 + b"\r\n") * 3)
        reply = await client.reply()
        assert (reply.status, reply.error["code"]) == (413, "request_too_large")
        assert await client.reader.read() == b""
    assert scene.sender.sent == []
    assert (scene.ledger.entry.outcome, scene.ledger.entry.error) == ("refused", "request_too_large")
    assert reply.headers["isthmus-request"] == scene.ledger.entry.id


@pytest.mark.parametrize("headers", [{}, {"isthmus-labels": "Not A Label"}, {"content-length": "999999999"}])
async def test_of_strangers_nothing_is_on_record(headers: dict[str, str]) -> None:
    scene = Scene(completion(), keys=(key(),))
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, headers)
    assert reply.status == 401
    assert scene.ledger.entries == []


@pytest.mark.parametrize("pieces", [1, 50])
async def test_a_head_over_the_limit_is_refused(pieces: int) -> None:
    scene = Scene(completion(), connections=Connections(head_bytes=20_000))
    request = request_bytes("POST", CHAT, HELLO, {"x-long": "y" * 30_000})
    async with scene.client() as client:
        size = len(request) // pieces + 1
        for at in range(0, 21_000, size):  # no more: it is refused before all of it was sent
            await client.send(request[at : at + size])
            await asyncio.sleep(0.001)
        reply = await client.reply()
        assert (reply.status, reply.error["code"]) == (431, "request_too_large")
    assert scene.sender.sent == []


async def test_a_head_below_the_limit_is_not_refused() -> None:
    async with Scene(completion()).client() as client:
        assert (await client.request("POST", CHAT, HELLO, {"x-long": "y" * 30_000})).status == 200


@pytest.mark.parametrize("sent", [b"", b"POST /v1/chat", request_bytes("POST", CHAT, HELLO)[:-5]])
async def test_a_client_that_dawdles_over_its_request_is_dropped(sent: bytes) -> None:
    scene = Scene(completion(), connections=Connections(request_seconds=60.0))
    async with scene.client() as client:
        await client.send(sent)
        await until(lambda: scene.connections.open)
        assert scene.connections.sweep() == 0
        assert scene.connections.sweep(time.monotonic() + 61.0) == 1
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.reader.readexactly(1)


async def test_a_client_that_waits_for_its_answer_is_not_dropped() -> None:
    scene = Scene(FakeResponse(pieces=[None]), connections=Connections(request_seconds=0.0))
    async with scene.client() as client:
        await client.send(request_bytes("POST", CHAT, HELLO))
        await until(lambda: scene.sender.responses)
        await asyncio.sleep(0.01)
        assert scene.connections.sweep() == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_before_the_answer_stops_the_offer_at_once(stream: bool) -> None:
    scene = Scene(FakeResponse(pieces=[None]))
    async with scene.client() as client:
        await client.send(request_bytes("POST", CHAT, STREAM if stream else HELLO))
        await until(lambda: scene.sender.responses)
        client.leave()
        await until(lambda: scene.sender.responses[0].aborted)
        await until(lambda: scene.ledger.entries)
    assert scene.ledger.entry.outcome == "client_gone"


async def test_a_client_that_leaves_in_mid_stream_stops_the_offer_at_once() -> None:
    scene = Scene(FakeResponse(pieces=[delta("hel"), None]))
    async with scene.client() as client:
        await client.send(request_bytes("POST", CHAT, STREAM))
        await client.head()
        client.leave()
        await until(lambda: scene.sender.responses[0].aborted)
        await until(lambda: scene.ledger.entries)
    assert scene.ledger.entry.outcome == "client_gone"


async def test_a_slow_reader_slows_the_offer_down_instead_of_filling_memory() -> None:
    piece = delta("x" * 50_000)
    endless = FakeResponse(pieces=[piece] * 4000)
    scene = Scene(endless)
    async with scene.client() as client:
        await client.send(request_bytes("POST", CHAT, STREAM))
        await until(lambda: endless._next > 0)
        seen = -1
        while endless._next != seen:
            seen = endless._next
            await asyncio.sleep(0.1)
        # What is ahead of the reader: the sockets' buffers of both ends (some MB on Linux) and 64 kB of the server's.
        assert seen * len(piece) < 16_000_000
        client.leave()
        await until(lambda: scene.ledger.entries)


async def test_more_requests_than_allowed_are_refused_with_when_to_come_back() -> None:
    scene = Scene(FakeResponse(pieces=[None]), limits=GatewayLimits(in_flight=1))
    async with listening(scene.gateway) as port, connected(port) as first, connected(port) as second:
        await first.send(request_bytes("POST", CHAT, HELLO))
        await until(lambda: scene.sender.responses)
        reply = await second.request("POST", CHAT, HELLO)
    assert (reply.status, reply.error["code"], reply.headers["retry-after"]) == (503, "overloaded", "1")


async def test_an_upstreams_wish_to_be_left_alone_is_told_on() -> None:
    async with Scene(refusal(429, retry_after="120")).client() as client:
        reply = await client.request("POST", CHAT, HELLO)
    assert (reply.status, reply.headers["retry-after"]) == (429, "120")


async def test_a_ledger_that_cannot_keep_up_is_told_where_the_settings_serve_nevertheless() -> None:
    scene = Scene(completion())
    scene.ledger.warns = "not recorded: disk full"
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO)
    assert (reply.status, reply.headers["isthmus-warning"]) == (200, "not recorded: disk full")


@pytest.mark.parametrize(
    "headers",
    [
        {"isthmus-labels": "Not A Label"},
        {"isthmus-lables": "pii"},
        {"isthmus_labels": "pii"},
        {"Isthmus_Labels": "pii"},
        {"x-isthmus-labels": "pii"},
        {"X_Isthmus_Labels": "pii"},
        {"isthmuslabels": "pii"},
        {"isthmus-conversation": "x" * 300},
    ],
)
async def test_a_header_meant_for_us_that_says_nonsense_is_refused_and_on_record(headers: dict[str, str]) -> None:
    scene = Scene(completion())
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO, headers)
        explained = await client.request("POST", "/isthmus/v1/explain", HELLO, headers)
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert explained.status == 400
    assert scene.sender.sent == []
    assert (scene.ledger.entry.outcome, scene.ledger.entry.error) == ("refused", "invalid_request")
    assert reply.headers["isthmus-request"] == scene.ledger.entry.id


@pytest.mark.parametrize("name", ["isthmus-workload", "isthmus-conversation", "host", "authorization", "origin"])
async def test_a_header_that_can_mean_one_thing_only_is_not_taken_twice(name: str) -> None:
    value = {"host": "127.0.0.1", "authorization": f"Bearer {SECRET}"}.get(name, "w")
    scene = Scene(completion(), keys=(key(),))
    request = request_bytes("POST", CHAT, HELLO, {"authorization": f"Bearer {SECRET}"} | {name: value})
    async with scene.client() as client:
        await client.send(request.replace(b"\r\n", b"\r\n%b: %b\r\n" % (name.title().encode(), value.encode()), 1))
        reply = await client.reply()
    assert reply.status == 400
    assert name in str(reply.error["message"])
    assert scene.sender.sent == []


async def test_labels_may_be_said_in_several_headers_and_add_up() -> None:
    scene = Scene(completion())
    request = request_bytes("POST", CHAT, HELLO, {"isthmus-labels": "pii"})
    async with scene.client() as client:
        await client.send(request.replace(b"\r\n", b"\r\nISTHMUS-LABELS: phi, pii\r\n", 1))
        assert (await client.reply()).status == 403
    assert {labelled.label for labelled in scene.ledger.entry.labels} == {"phi", "pii"}


@pytest.mark.parametrize("target", [CHAT + "/", CHAT + "?x=1", "http://127.0.0.1" + CHAT, "/v1/chat%2Fcompletions"])
async def test_an_address_may_be_written_otherwise(target: str) -> None:
    async with Scene(completion()).client() as client:
        assert (await client.request("POST", target, HELLO)).status == 200


async def test_an_address_that_is_none_is_refused() -> None:
    async with Scene(completion()).client() as client:
        assert (await client.request("POST", "http://[::1", HELLO)).status == 400


async def test_a_fault_of_our_own_is_answered_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    text = "".join(["can", "ary"])  # so that the source line in the traceback does not contain it

    def fault(*_: object) -> FakeResponse:
        raise ZeroDivisionError(text)

    scene = Scene(fault)
    async with scene.client() as client:
        reply = await client.request("POST", CHAT, HELLO)
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert "canary" not in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert scene.ledger.entry.outcome == "failed"


async def test_revoking_the_only_key_does_not_open_the_door_again() -> None:
    scene = Scene(completion(), keys=(key(),))
    scene.gateway.keyring.replace({})
    async with scene.client() as client:
        assert (await client.request("POST", CHAT, HELLO)).status == 401


async def test_trailers_are_no_headers() -> None:
    scene = Scene(completion())
    head, body = request_bytes("POST", CHAT, HELLO, {"transfer-encoding": "chunked"}).split(b"\r\n\r\n", 1)
    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"content-length"))
    async with scene.client() as client:
        chunk = b"%x\r\n%s\r\n" % (len(body), body)
        await client.send(head + b"\r\n\r\n" + chunk + b"0\r\nisthmus-labels: phi\r\n\r\n")
        assert (await client.reply()).status == 200
    assert scene.ledger.entry.labels == ()
