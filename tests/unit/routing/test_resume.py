"""Going on from earlier answers: only from what was kept whole, and only for those who may see it."""

from dataclasses import replace

import msgspec
import pytest
from tests.fakes.keeper import MemoryKeeper
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.road import offer
from tests.fakes.sender import Behaviour, FakeSender
from tests.fakes.speaking import Speech, speak

from isthmus.dialects.registry import form_of
from isthmus.domain.errors import NotFound
from isthmus.domain.offer import Workload
from isthmus.domain.principal import Principal
from isthmus.domain.usage import Usage
from isthmus.perimeter.gate import Gate
from isthmus.routing.answer import Call
from isthmus.routing.resume import answer_id
from isthmus.routing.road import Road
from isthmus.routing.roster import Roster

pytestmark = pytest.mark.anyio

SAYS = Speech(texts=("Good ", "morning."), usage=Usage(input=3, output=2))


class Scene:
    """A road whose workload keeps what is said."""

    def __init__(self, speech: Speech) -> None:
        home = offer("home", dialect="openai-responses")
        workloads = {
            name: Workload(name=name, offers=("home",), attempts=1, keep_days=1.0) for name in ("w", "elsewhere")
        }
        behaviours: list[Behaviour] = [lambda to, request: speak(to, request, speech)]
        self.sender = FakeSender({"home": behaviours})
        self.ledger = MemoryRecorder()
        self.keeper = MemoryKeeper()
        roster = Roster(offers={"home": home}, workloads=workloads, default_workload="w", version="v1")
        self.road = Road(roster, self.sender, self.ledger, Gate(), keeper=self.keeper)

    async def ask(self, asked: Call) -> str:
        """Ask, and read to the end. Returns the id of the answer."""
        async with await self.road.serve(asked) as answer:
            while answer.streamed and await answer.piece():
                pass
        return answer_id(answer.id)


def call(*, stream: bool = False, form: str = "openai-responses", **fields: object) -> Call:
    said = {"input": "hello"} if form == "openai-responses" else {"messages": [{"role": "user", "content": "hello"}]}
    return Call(
        form=form_of(form),
        body=msgspec.json.encode({"model": "w", "stream": stream, **said, **fields}),
        principal=Principal(),
        arrived=0.0,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_whole_answer_can_be_gone_on_from(stream: bool) -> None:
    scene = Scene(SAYS)
    first = await scene.ask(call(stream=stream))
    await scene.ask(call(previous_response_id=first))
    assert b"morning" in scene.sender.sent[1][1].body


async def test_an_answer_that_broke_off_cannot_be_gone_on_from_but_deleted() -> None:
    scene = Scene(replace(SAYS, breaks_off=True))
    first = await scene.ask(call(stream=True))
    assert scene.ledger.entry.outcome == "interrupted"
    assert [kept.goes_on_in for kept in scene.keeper.kept] == [None]
    with pytest.raises(NotFound):
        await scene.ask(call(previous_response_id=first))
    assert len(scene.sender.sent) == 1
    assert await scene.road.kept(call(), first) is None
    assert await scene.road.forget(call(), first)
    assert scene.keeper.kept == []


async def test_an_answer_in_another_form_cannot_be_gone_on_from() -> None:
    scene = Scene(SAYS)
    first = await scene.ask(call(form="openai-chat"))
    with pytest.raises(NotFound):
        await scene.ask(call(previous_response_id=first))
    assert await scene.road.kept(call(), first) is None


async def test_a_key_goes_on_from_answers_of_its_own_workloads_alone() -> None:
    scene = Scene(SAYS)
    first = await scene.ask(call())
    elsewhere = replace(call(previous_response_id=first), workloads=frozenset({"elsewhere"}), workload="elsewhere")
    with pytest.raises(NotFound):
        await scene.ask(elsewhere)
    assert len(scene.sender.sent) == 1
