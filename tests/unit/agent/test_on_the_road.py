"""The agent asks by the road: labels of single messages decide who may be asked, and none of them reaches an offer."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.agent_scene import Mail, MemoryLog, MemoryMarks, ended, mail
from tests.fakes.road import RoadScene, offer
from tests.fakes.rules import policy, rule
from tests.fakes.sender import DONE, USAGE, FakeResponse, chunk

from isthmus.agent import Agent
from isthmus.agent.happenings import Happening, Thinking
from isthmus.agent.on_the_road import OnTheRoad, body_of, profiled
from isthmus.agent.profiles import Profile
from isthmus.domain.crossing import WireRequest
from isthmus.domain.label import Label
from isthmus.domain.message import CompletionRequest, Message, Text
from isthmus.domain.offer import Capabilities, Offer
from isthmus.ledger.fingerprints import FingerprintFile
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.lineage import Lineage
from isthmus.perimeter.perimeter import Perimeter
from isthmus.perimeter.policy import Needs

pytestmark = pytest.mark.anyio

SECRET = "The biopsy is on Tuesday."


def answers(_: Offer, request: WireRequest) -> FakeResponse:
    """Searches the mail, and then says what it found."""
    body = msgspec.json.decode(request.body)
    if body["messages"][-1]["role"] == "tool":
        return stream({"content": "You have one mail."}, "stop")
    function = {"name": "mail_search", "arguments": "{}"}
    return stream({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function}]}, "tool_calls")


def stream(delta: dict[str, Any], finish: str) -> FakeResponse:
    first = chunk(choices=[{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}])
    return FakeResponse(
        pieces=[first, chunk(choices=[{"index": 0, "delta": {}, "finish_reason": finish}]), USAGE, DONE]
    )


FAR = offer("far", quality=0.9)
HOME = offer("home", side="own", quality=0.1, price=None)


def scene(*offers: Offer) -> RoadScene:
    rules = policy(rule("mail", needs=Needs(side=frozenset({"own"}))))
    known = offers or (FAR, HOME)
    return RoadScene({one.name: [answers] for one in known}, known, gate=Gate(Perimeter(policy=rules)))


async def say(it: RoadScene, profile: Profile = "performance-first", **options: Any) -> list[Happening]:
    it.road.roster = profiled(it.road.roster, profile)
    box = Mail({"<1@x>": mail("<1@x>", "clinic@example.org", SECRET)})
    agent = Agent(reasoner=OnTheRoad(it.road), toolsets=[box], log=MemoryLog(), marks=MemoryMarks(), **options)
    return [one async for one in agent.turn("Any mail?", conversation="c")]


def offers(happenings: Sequence[Happening]) -> list[str]:
    return [one.offer for one in happenings if isinstance(one, Thinking)]


async def test_the_best_is_asked_until_there_is_what_it_may_not_see() -> None:
    it = scene()
    happenings = await say(it)
    assert offers(happenings) == ["far", "home"]
    assert ended(happenings).text == "You have one mail."
    assert ended(happenings).sides == {"closed", "own"}
    sent = dict(it.sender.sent)
    assert SECRET.encode() in sent["home"].body
    assert SECRET.encode() not in sent["far"].body


async def test_no_offer_sees_how_labels_are_declared() -> None:
    it = scene()
    await say(it)
    assert not any(b"isthmus" in request.body for _, request in it.sender.sent)


async def test_where_nobody_may_see_it_nothing_is_sent_and_it_is_said_why() -> None:
    it = scene(FAR)
    happenings = await say(it)
    assert ended(happenings).outcome == "refused"
    assert "mail: mail_1" in ended(happenings).note
    assert len(it.sender.sent) == 1


async def test_the_ledger_has_one_entry_for_each_question() -> None:
    it = scene()
    happenings = await say(it)
    assert [entry.offer for entry in it.ledger.entries] == ["far", "home"]
    assert [entry.id for entry in it.ledger.entries] == [one.request for one in happenings if isinstance(one, Thinking)]
    assert [[found.source for found in entry.labels] for entry in it.ledger.entries] == [[], ["part"]]


async def test_privacy_first_asks_nobody_but_own_models() -> None:
    it = scene()
    assert offers(await say(it, "privacy-first")) == ["home", "home"]


async def test_an_estimate_is_what_whoever_would_be_asked_first_costs() -> None:
    it = scene(FAR)
    note = ended(await say(it, budget={"chat": Decimal("0.0000001")})).note
    assert note.startswith(
        "The budget of $1E-7 a day for what begins by chat is used: $0.0000 are spent, and this would"
    )
    assert it.sender.sent == []


async def test_a_small_model_without_tools_of_its_own_is_asked_for_constrained_json() -> None:
    def small(_: Offer, request: WireRequest) -> FakeResponse:
        body = msgspec.json.decode(request.body)
        assert "tools" not in body
        assert body["response_format"]["type"] == "json_schema"
        found = any("mail_1" in str(message["content"]) for message in body["messages"])
        said = {"reply": "One mail."} if found else {"tool": "mail_search", "arguments": {}}
        return stream({"content": msgspec.json.encode(said).decode()}, "stop")

    home = offer("home", side="own", capabilities=Capabilities(tools="emulated", json_schema="yes"))
    it = RoadScene({"home": [small]}, [home])
    assert ended(await say(it, "privacy-first")).text == "One mail."


def test_every_message_has_its_labels_told() -> None:
    request = CompletionRequest(model="w", messages=(Message(role="user", parts=(Text(text="x"),)),))
    body = msgspec.json.decode(body_of(request, [frozenset({Label("b"), Label("a")})]))
    assert body["messages"] == [{"role": "user", "content": "x", "isthmus_labels": ["a", "b"]}]
    with pytest.raises(ValueError, match="zip"):
        body_of(request, [])


async def test_an_answer_that_is_remembered_before_it_is_told_is_heard_as_well(tmp_path: Path) -> None:
    rules = policy(rule("mail", needs=Needs(side=frozenset({"own"}))))
    lineage = Lineage(FingerprintFile(tmp_path / "lineage.db"), b"k" * 32, clock=lambda: 1e9)
    scene = RoadScene({"home": [answers]}, [HOME], gate=Gate(Perimeter(policy=rules, lineage=lineage, key=b"k" * 32)))
    assert ended(await say(scene, "privacy-first")).text == "You have one mail."
