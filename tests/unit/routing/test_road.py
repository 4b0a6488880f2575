from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import anyio
import msgspec
import pytest
from tests.fakes.recorder import MemoryRecorder
from tests.fakes.sender import DONE, USAGE, Behaviour, FakeResponse, FakeSender, completion, delta, refusal

from isthmus.dialects.registry import dialect_of
from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import (
    ConfigError,
    InvalidRequest,
    IsthmusError,
    LedgerError,
    LicenceDenied,
    NoHealthyOffer,
    NotCapable,
    PerimeterDenied,
    ProviderError,
    TooLarge,
    UnknownModel,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from isthmus.domain.label import Clearance, Label, Labelled
from isthmus.domain.licensing import Ruling
from isthmus.domain.offer import Capabilities, Offer, Workload
from isthmus.domain.principal import Principal
from isthmus.domain.usage import Price, Usage
from isthmus.perimeter.gate import Gate
from isthmus.routing.answer import Answer, Call
from isthmus.routing.health import FAILURES_TO_OPEN
from isthmus.routing.road import Road, RoadLimits
from isthmus.routing.roster import Roster

pytestmark = pytest.mark.anyio

PRICE = Price(input=Decimal(1), output=Decimal(2), source="test")


def offer(name: str, **changes: object) -> Offer:
    base = Offer(
        name=name,
        model=f"{name}-model",
        provider="test",
        dialect="openai-chat",
        base_url="http://x/v1",
        side="closed",
        price=PRICE,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests name fields of Offer


def call(*, stream: bool = False, **fields: object) -> Call:
    body: dict[str, object] = {"model": "w", "messages": [{"role": "user", "content": "hi"}], **fields}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return Call(
        form=dialect_of("openai-chat"),
        body=msgspec.json.encode(body),
        principal=Principal(team="red"),
        arrived=0.0,
    )


def missing_secret(offer: Offer, request: WireRequest) -> FakeResponse:
    raise ConfigError("The secret env:NOPE is not there.")


class Scene:
    """A road between offers that answer as a test says and a ledger in memory."""

    def __init__(self, behaviours: dict[str, list[Behaviour]], *offers: Offer, attempts: int = 3) -> None:
        known = {o.name: o for o in offers} or {name: offer(name) for name in behaviours}
        self.sender = FakeSender(behaviours)
        self.ledger = MemoryRecorder()
        self.workload = Workload(name="w", offers=tuple(known), attempts=attempts)
        roster = Roster(offers=known, workloads={"w": self.workload}, default_workload="w", version="v1")
        self.road = Road(roster, self.sender, self.ledger, Gate(), limits=RoadLimits(messages=10), draw=lambda: 0.0)

    async def whole(self, asked: Call | None = None) -> bytes:
        async with await self.road.serve(asked or call()) as answer:
            return answer.body

    async def streamed(self, asked: Call | None = None, each: Callable[[Answer], None] = lambda answer: None) -> bytes:
        async with await self.road.serve(asked or call(stream=True)) as answer:
            out = answer.body
            each(answer)
            while piece := await answer.piece():
                out += piece
            return out


async def test_an_answer_passes_and_its_entry_says_who_served_at_what_cost() -> None:
    scene = Scene({"a": [completion("hello")]})
    assert b'"hello"' in await scene.whole()
    entry = scene.ledger.entry
    assert (entry.outcome, entry.offer, entry.side, entry.workload) == ("completed", "a", "closed", "w")
    assert entry.usage == Usage(input=10, output=5)
    assert entry.cost == Decimal("0.00002")
    assert entry.price_source == "test"
    assert entry.principal == Principal(team="red")
    assert entry.catalog_version == "v1"
    assert [(attempt.offer, attempt.status, attempt.error) for attempt in entry.attempts] == [("a", 200, None)]
    assert scene.ledger.balanced


FORBIDDEN = Ruling(outcome="forbidden", sentence="no rights for who is seated in the EU (Licence 1, section 1).")


async def test_what_the_licence_forbids_is_refused_with_its_clause_and_nothing_is_sent() -> None:
    scene = Scene({"a": [completion()]}, offer("a", barred=(("internal", FORBIDDEN),)))
    with pytest.raises(LicenceDenied, match=r"a may not be used for 'internal': no rights .* \(Licence 1, section 1\)"):
        await scene.whole()
    assert scene.sender.sent == []
    entry = scene.ledger.entry
    assert [(rejection.offer, rejection.code) for rejection in entry.rejected] == [("a", "not_licensed")]


async def test_an_offer_that_is_licensed_serves_in_the_place_of_one_that_is_not() -> None:
    scene = Scene({"a": [], "b": [completion("hello")]}, offer("a", barred=(("internal", FORBIDDEN),)), offer("b"))
    assert b'"hello"' in await scene.whole()
    assert scene.ledger.entry.offer == "b"


async def test_what_is_forbidden_for_another_use_serves() -> None:
    scene = Scene({"a": [completion("hello")]}, offer("a", barred=(("product", FORBIDDEN),)))
    assert b'"hello"' in await scene.whole()


async def test_an_offer_asked_for_by_its_own_name_is_held_against_what_all_answers_are_for() -> None:
    scene = Scene({"a": [completion()]}, offer("a", barred=(("product", FORBIDDEN),)))
    scene.road.roster = replace(scene.road.roster, uses=frozenset({"product"}))
    with pytest.raises(LicenceDenied):
        await scene.whole(call(model="a"))
    assert scene.sender.sent == []


async def test_the_offers_own_model_name_is_sent() -> None:
    scene = Scene({"a": [completion()]})
    await scene.whole()
    assert msgspec.json.decode(scene.sender.sent[0][1].body)["model"] == "a-model"


async def test_a_stream_passes_byte_for_byte() -> None:
    pieces = [delta("hel"), delta("lo", "stop"), USAGE, DONE]
    scene = Scene({"a": [FakeResponse(pieces=pieces)]})
    assert await scene.streamed() == b"".join(pieces)
    entry = scene.ledger.entry
    assert (entry.outcome, entry.usage, entry.streamed) == ("completed", Usage(input=10, output=5), True)
    assert entry.first_token is not None


@pytest.mark.parametrize(
    "failure",
    [
        UpstreamUnreachable("a refused the connection."),
        UpstreamTimeout("a did not answer in time.", phase="first_byte"),
        refusal(500),
        refusal(429),
        refusal(401),
        refusal(404),
        refusal(301),
        FakeResponse(pieces=[b"<html>login</html>"]),
        missing_secret,
    ],
    ids=["refused", "hangs", "500", "429", "bad-credential", "model-gone", "moved", "no-answer", "no-secret"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_offer_serves_when_the_first_cannot(failure: Behaviour, stream: bool) -> None:
    served = FakeResponse(pieces=[delta("hi", "stop"), USAGE, DONE]) if stream else completion("hi")
    scene = Scene({"a": [failure], "b": [served]})
    assert b'"hi"' in await (scene.streamed() if stream else scene.whole())
    assert scene.sender.asked == ["a", "b"]
    entry = scene.ledger.entry
    assert (entry.outcome, entry.offer) == ("completed", "b")
    assert [attempt.offer for attempt in entry.attempts] == ["a", "b"]
    assert [(r.offer, r.code) for r in entry.rejected] == [("a", "failed")]


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [UpstreamUnreachable("a broke off.")],
        [b'data: {"error": {"message": "overloaded", "code": "x"}}\n\n'],
    ],
    ids=["empty", "broken", "error-event"],
)
async def test_a_stream_that_fails_before_its_first_event_fails_over(pieces: list[bytes | ProviderError]) -> None:
    good = FakeResponse(pieces=[delta("hi", "stop"), USAGE, DONE])
    scene = Scene({"a": [FakeResponse(pieces=pieces)], "b": [good]})
    assert await scene.streamed() == delta("hi", "stop") + USAGE + DONE
    assert scene.ledger.entry.offer == "b"
    assert scene.sender.responses[0].aborted


async def test_a_stream_that_dies_after_its_first_event_ends_with_an_honest_error() -> None:
    dying = FakeResponse(pieces=[delta("hel"), UpstreamUnreachable("a broke off.")])
    scene = Scene({"a": [dying], "b": [completion()]})
    out = await scene.streamed()
    assert out.startswith(delta("hel"))
    event = msgspec.json.decode(out[len(delta("hel")) :].removeprefix(b"data: "))
    assert event["error"]["code"] == "stream_interrupted"
    assert "[DONE]" not in out.decode()
    assert scene.sender.asked == ["a"]
    entry = scene.ledger.entry
    assert (entry.outcome, entry.error, entry.offer) == ("interrupted", "stream_interrupted", "a")
    assert [(r.offer, r.code) for r in entry.rejected if r.offer == "a"] == [("a", "failed")]


async def test_a_stream_that_just_stops_is_not_called_complete() -> None:
    scene = Scene({"a": [FakeResponse(pieces=[delta("hel")])]})
    out = await scene.streamed()
    assert b"stream_interrupted" in out
    assert scene.ledger.entry.outcome == "interrupted"


async def test_what_the_offer_says_is_the_callers_fault_is_told_and_tried_nowhere_else() -> None:
    scene = Scene({"a": [refusal(400, "temperature must be a number")], "b": [completion()]})
    with pytest.raises(UpstreamRefused, match="temperature must be a number") as caught:
        await scene.whole()
    assert caught.value.status == 400
    assert scene.sender.asked == ["a"]
    assert scene.ledger.entry.outcome == "failed"


async def test_one_offer_alone_is_tried_again_as_often_as_the_workload_says() -> None:
    scene = Scene({"a": [refusal(503), refusal(503), completion("third")]})
    assert b"third" in await scene.whole()
    assert scene.sender.asked == ["a", "a", "a"]
    scene = Scene({"a": [refusal(503)]}, attempts=2)
    with pytest.raises(UpstreamRefused):
        await scene.whole()
    assert scene.sender.asked == ["a", "a"]
    assert scene.ledger.balanced


async def test_retry_after_is_waited_for_when_nothing_else_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene({"a": [refusal(429, retry_after="0.2"), completion("later")]})
    began = anyio.current_time()
    assert b"later" in await scene.whole()
    assert anyio.current_time() - began >= 0.2


async def test_a_retry_after_beyond_patience_is_told_to_the_caller() -> None:
    scene = Scene({"a": [refusal(429, retry_after="3600")]})
    with pytest.raises(UpstreamRefused) as caught:
        await scene.whole()
    assert (caught.value.status, caught.value.retry_after) == (429, 3600)
    assert scene.sender.asked == ["a"]


async def test_an_offer_that_keeps_failing_rests_and_says_so() -> None:
    scene = Scene({"a": [UpstreamUnreachable("no.")]}, attempts=1)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(UpstreamUnreachable):
            await scene.whole()
    with pytest.raises(NoHealthyOffer, match="rests for") as caught:
        await scene.whole()
    assert caught.value.retry_after is not None
    assert len(scene.sender.sent) == FAILURES_TO_OPEN
    assert scene.ledger.entries[-1].rejected[0].code == "resting"
    assert scene.ledger.balanced


async def test_tries_end_at_the_bound_and_offers_not_reached_say_so() -> None:
    scene = Scene({"a": [refusal(500)], "b": [refusal(500)], "c": [completion()]}, attempts=2)
    with pytest.raises(UpstreamRefused):
        await scene.whole()
    assert scene.sender.asked == ["a", "b"]
    codes = {rejection.offer: rejection.code for rejection in scene.ledger.entry.rejected}
    assert codes == {"a": "failed", "b": "failed", "c": "attempts_spent"}


async def test_labelled_data_goes_only_to_an_offer_that_is_cleared() -> None:
    cleared = offer("own", clearance=Clearance(frozenset({Label("pii")})))
    scene = Scene({"vendor": [completion()], "own": [completion()]}, offer("vendor"), cleared)
    asked = call()
    asked.labels = (Labelled(Label("pii"), "header"),)
    await scene.whole(asked)
    assert scene.sender.asked == ["own"]
    entry = scene.ledger.entry
    assert entry.labels == (Labelled(Label("pii"), "header"),)
    assert entry.rejected[0].sentence == "vendor is not cleared for label 'pii'."


async def test_labelled_data_that_nobody_is_cleared_for_is_refused_not_sent() -> None:
    scene = Scene({"a": [completion()], "b": [completion()]})
    asked = call(metadata={"isthmus-labels": "phi"})
    with pytest.raises(PerimeterDenied, match="not cleared for label 'phi'"):
        await scene.whole(asked)
    assert scene.sender.sent == []
    assert scene.ledger.entry.outcome == "refused"
    assert scene.ledger.entry.labels == (Labelled(Label("phi"), "metadata"),)


async def test_clearance_holds_through_every_failover() -> None:
    cleared = offer("own", clearance=Clearance(everything=True))
    scene = Scene({"own": [refusal(500)], "vendor": [completion()]}, cleared, offer("vendor"))
    asked = call()
    asked.labels = (Labelled(Label("phi"), "header"),)
    with pytest.raises(UpstreamRefused):
        await scene.whole(asked)
    assert set(scene.sender.asked) == {"own"}


async def test_an_offer_that_cannot_is_passed_over() -> None:
    blind = offer("blind", capabilities=Capabilities(tools="no"))
    scene = Scene({"blind": [completion()], "able": [completion()]}, blind, offer("able"))
    await scene.whole(call(tools=[{"type": "function", "function": {"name": "f"}}]))
    assert scene.sender.asked == ["able"]
    scene = Scene({"blind": [completion()]}, blind)
    with pytest.raises(NotCapable, match="blind cannot call tools"):
        await scene.whole(call(tools=[{"type": "function", "function": {"name": "f"}}]))


async def test_an_offer_whose_dialect_cannot_say_it_is_passed_over_not_cut_down() -> None:
    other = offer("other", dialect="anthropic-messages")
    scene = Scene({"other": [completion()], "same": [completion()]}, other, offer("same"))
    await scene.whole(call(seed=7, logit_bias={"5": 1}))
    assert scene.sender.asked == ["same"]
    assert [(r.offer, r.code) for r in scene.ledger.entry.rejected] == [("other", "not_capable")]
    scene = Scene({"other": [completion()]}, other)
    with pytest.raises(IsthmusError, match=r"(?i)logit_bias|seed") as caught:
        await scene.whole(call(seed=7, logit_bias={"5": 1}))
    assert caught.value.code == "unsupported_parameter"
    assert scene.sender.sent == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"model": "nobody"}, UnknownModel),
        ({"messages": []}, InvalidRequest),
        ({"messages": [{"role": "user", "content": "hi"}] * 11}, TooLarge),
        ({"metadata": {"isthmus-workload": "nobody"}}, UnknownModel),
    ],
)
async def test_a_request_that_is_none_leaves_an_entry_and_reaches_nobody(
    body: dict[str, object], error: type[IsthmusError]
) -> None:
    scene = Scene({"a": [completion()]})
    with pytest.raises(error) as caught:
        await scene.whole(call(**body))  # type: ignore[arg-type]  # none of the fields is `stream`
    assert scene.sender.sent == []
    assert scene.ledger.entry.outcome == "refused"
    assert caught.value.request_id == scene.ledger.entry.id
    assert scene.ledger.balanced


async def test_leaving_in_the_middle_of_a_stream_stops_the_offer_and_settles_the_entry() -> None:
    scene = Scene({"a": [FakeResponse(pieces=[delta("hel"), None])]})
    with anyio.move_on_after(0.05):
        await scene.streamed()
    assert scene.sender.responses[0].aborted
    assert scene.ledger.entry.outcome == "client_gone"
    assert scene.ledger.balanced


async def test_leaving_before_the_first_byte_stops_the_offer_and_settles_the_entry() -> None:
    scene = Scene({"a": [FakeResponse(pieces=[None])]})
    with anyio.move_on_after(0.05):
        await scene.whole()
    assert scene.sender.responses[0].aborted
    assert scene.ledger.entry.outcome == "client_gone"
    assert scene.ledger.entry.attempts[0].error is None
    assert scene.ledger.balanced


async def test_a_stream_longer_than_allowed_is_ended_honestly() -> None:
    scene = Scene({"a": [FakeResponse(pieces=[delta("x")] * 50)]})
    scene.road.limits = RoadLimits(stream_seconds=0.0)
    out = await scene.streamed()
    assert b"stream_interrupted" in out
    assert scene.ledger.entry.outcome == "interrupted"


async def test_without_a_ledger_nothing_is_sent_unless_the_settings_say_so() -> None:
    scene = Scene({"a": [completion()]})
    scene.ledger.refuses = "The disk is full."
    with pytest.raises(LedgerError, match="The disk is full"):
        await scene.whole()
    assert scene.sender.sent == []
    scene.ledger.refuses, scene.ledger.warns = None, "The disk is full."
    async with await scene.road.serve(call()) as answer:
        assert answer.warning == "The disk is full."


async def test_a_reload_changes_new_requests_and_leaves_those_under_way() -> None:
    scene = Scene({"a": [FakeResponse(pieces=[delta("x"), USAGE, DONE])], "b": [completion("new")]}, offer("a"))
    new = offer("b")

    def swap(_: Answer) -> None:
        scene.road.roster = Roster(
            offers={"b": new}, workloads={"w": Workload(name="w", offers=("b",))}, default_workload="w", version="v2"
        )

    assert await scene.streamed(each=swap) == delta("x") + USAGE + DONE
    assert b"new" in await scene.whole()
    assert [entry.catalog_version for entry in scene.ledger.entries] == ["v1", "v2"]


async def test_what_would_be_decided_is_told_without_sending_or_recording() -> None:
    scene = Scene({"a": [completion()], "b": [completion()]})
    decision = await scene.road.decide(call())
    assert [candidate.offer.name for candidate in decision.route] == ["a", "b"]
    assert scene.sender.sent == []
    assert scene.ledger.begun == []


@pytest.mark.parametrize("name", ["isthmus-label", "isthmus_labels", "Isthmus-Labels", " isthmus-labels"])
async def test_a_misspelt_label_is_refused_not_ignored(name: str) -> None:
    scene = Scene({"a": [completion()]})
    with pytest.raises(InvalidRequest, match="isthmus-labels"):
        await scene.whole(call(metadata={name: "phi"}))
    assert scene.sender.sent == []
