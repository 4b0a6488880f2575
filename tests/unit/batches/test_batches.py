"""What batches do meanwhile: in which order, at whose cost, for how long, and after which failures."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from tests.fakes.batch_scene import Answers, BatchScene, chat_lines, echo, key, offer, said, until
from tests.fakes.rules import WordDetector, policy, rule
from tests.fakes.sender import DONE, USAGE, FakeResponse, delta, refusal
from typing_extensions import override

from isthmus.batches import runner
from isthmus.batches.batch import Batch
from isthmus.batches.limits import BatchLimits
from isthmus.domain.crossing import WireRequest
from isthmus.domain.errors import InvalidRequest, LedgerError, NotFound, TooLarge, TooMany
from isthmus.domain.label import Label, Labelled
from isthmus.domain.offer import Engine, Offer, Weights
from isthmus.ledger.process import this_process
from isthmus.perimeter.gate import Gate
from isthmus.perimeter.perimeter import Perimeter

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ENGINE = Engine(weights=Weights(ref="/nowhere.gguf"), parallel=3)


async def made(scene: BatchScene, texts: Iterable[str], by: str = "red", **fields: Any) -> Batch:
    file = await scene.batches.upload(scene.keys[by], "in.jsonl", chat_lines(texts))
    return await scene.batches.create(scene.keys[by], endpoint=CHAT, input_file=file.id, **fields)


async def now(scene: BatchScene, batch: Batch) -> Batch:
    return await scene.batches.batch(key("any", batch.tenant), batch.kind, batch.id)


async def ended(scene: BatchScene, batch: Batch) -> Batch:
    with anyio.fail_after(15):
        while (batch := await now(scene, batch)).open:
            await anyio.sleep(0.01)
    return batch


async def lines(scene: BatchScene, batch: Batch, which: str = "output") -> dict[str, Any]:
    file = batch.output_file if which == "output" else batch.error_file
    assert file is not None
    content = await scene.batches.content(key("any", batch.tenant), file)
    found = [msgspec.json.decode(line) for line in content.splitlines()]
    assert len({line["custom_id"] for line in found}) == len(found)
    return {line["custom_id"]: line for line in found}


class Held:
    """Offers that answer when they are let go."""

    def __init__(self, answer: Answers = echo) -> None:
        self.go = anyio.Event()
        self.asked: list[str] = []
        self._answer = answer

    def __call__(self, offer: Offer, request: WireRequest) -> FakeResponse:
        self.asked.append(said(request))
        return _Waiting(self.go, self._answer(offer, request))


def streamed(_: Offer, request: WireRequest) -> FakeResponse:
    """What an engine answers, which is always asked for a stream."""
    return FakeResponse(pieces=[delta(said(request)), delta("", "stop"), USAGE, DONE])


class _Waiting(FakeResponse):
    def __init__(self, go: anyio.Event, answer: FakeResponse) -> None:
        super().__init__(pieces=answer.pieces)
        self._go = go

    @override
    async def chunk(self) -> bytes:
        await self._go.wait()
        return await super().chunk()


# ------------------------------------------------------------------------------------------------------------- priority


async def test_no_more_lines_are_asked_at_once_than_the_limits_say(tmp_path: Path) -> None:
    held = Held()
    scene = BatchScene(tmp_path, answers=held, limits=BatchLimits(at_once=3))
    async with scene.working():
        first, second = await made(scene, "abcdef"), await made(scene, "uvwxyz")
        await until(lambda: len(held.asked) == 3)
        await anyio.sleep(0.1)
        assert len(held.asked) == 3
        held.go.set()
        for batch in (first, second):
            assert (await ended(scene, batch)).counts.succeeded == 6
    assert Counter(held.asked) == Counter("abcdefuvwxyz")


async def test_lines_give_way_to_whoever_uses_an_own_offer(tmp_path: Path) -> None:
    busy = {"home"}
    scene = BatchScene(tmp_path, offers=(offer("home", side="own"),), idle=lambda name: name not in busy)
    async with scene.working():
        batch = await made(scene, "ab")
        await until(lambda: bool(scene.batches._runner._runs))
        await anyio.sleep(0.3)
        assert scene.sender.sent == []
        busy.clear()
        assert (await ended(scene, batch)).counts.succeeded == 2


async def test_lines_for_other_offers_do_not_wait_for_those_that_give_way(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path, offers=(offer("home", side="own"), offer("far")), idle=lambda name: name != "home")
    async with scene.working():
        waiting = await made(scene, "ab")
        file = await scene.batches.upload(
            scene.keys["red"], "in.jsonl", chat_lines("cd").replace(b'"model":"w"', b'"model":"far"')
        )
        going = await scene.batches.create(scene.keys["red"], endpoint=CHAT, input_file=file.id)
        assert (await ended(scene, going)).counts.succeeded == 2
        assert (await now(scene, waiting)).counts.waiting == 2
    assert set(scene.sender.asked) == {"far"}


async def test_a_line_that_gave_way_for_too_long_is_asked_nevertheless(tmp_path: Path) -> None:
    scene = BatchScene(
        tmp_path,
        offers=(offer("home", side="own"),),
        idle=lambda _: False,
        limits=BatchLimits(patience=timedelta(seconds=0.2)),
    )
    async with scene.working():
        assert (await ended(scene, await made(scene, "a"))).counts.succeeded == 1


async def test_one_place_of_an_engine_stays_free_for_others(tmp_path: Path) -> None:
    held = Held(answer=streamed)
    scene = BatchScene(tmp_path, answers=held, offers=(offer("home", side="own", engine=ENGINE),))
    async with scene.working():
        batch = await made(scene, "abcdef")
        await until(lambda: len(held.asked) == ENGINE.parallel - 1)
        await anyio.sleep(0.25)
        assert len(held.asked) == ENGINE.parallel - 1
        held.go.set()
        assert (await ended(scene, batch)).counts.succeeded == 6


# ------------------------------------------------------------------------------------------------------------- failures


async def test_what_fails_in_passing_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_FIRST_REST", 0.01)
    seen: Counter[str] = Counter()

    def fails_twice(offer: Offer, request: WireRequest) -> FakeResponse:
        seen[said(request)] += 1
        return refusal(500) if seen[said(request)] < 3 else echo(offer, request)

    scene = BatchScene(tmp_path, answers=fails_twice, limits=BatchLimits(at_once=2))
    async with scene.working():
        batch = await ended(scene, await made(scene, "ab"))
    assert (batch.counts.succeeded, batch.error_file) == (2, None)
    assert seen == {"a": 3, "b": 3}
    assert scene.ledger.balanced


async def test_an_answer_that_broke_off_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_FIRST_REST", 0.01)
    broken = [FakeResponse(pieces=[delta("half a")])]

    def breaks_off_once(offer: Offer, request: WireRequest) -> FakeResponse:
        return broken.pop() if broken else streamed(offer, request)

    scene = BatchScene(tmp_path, answers=breaks_off_once, offers=(offer("home", side="own", engine=ENGINE),))
    async with scene.working():
        assert (await ended(scene, await made(scene, "a"))).counts.succeeded == 1


async def test_a_line_that_goes_on_failing_is_told_as_failed_and_the_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_FIRST_REST", 0.001)

    def fails_for_one(offer: Offer, request: WireRequest) -> FakeResponse:
        return refusal(502, "dizzy") if said(request) == "poison" else echo(offer, request)

    scene = BatchScene(tmp_path, answers=fails_for_one, limits=BatchLimits(at_once=1, tries=3))
    async with scene.working():
        batch = await ended(scene, await made(scene, ["a", "poison", "b"]))
    assert (await lines(scene, batch)).keys() == {"a", "b"}
    error = (await lines(scene, batch, "error"))["poison"]
    assert error["response"]["status_code"] == 502
    assert "dizzy" in error["response"]["body"]["error"]["message"]
    assert [said(request) for _, request in scene.sender.sent].count("poison") == 3


async def test_results_that_cannot_be_saved_yet_are_saved_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_UNSAVED_SECONDS", 0.02)
    scene = BatchScene(tmp_path)
    settle, failures = scene.store.settle, [0]

    def fails_at_first(results: Any) -> None:
        failures[0] += 1
        if failures[0] < 3:
            raise LedgerError("The disk is full.")
        settle(results)

    monkeypatch.setattr(scene.store, "settle", fails_at_first)
    async with scene.working():
        batch = await ended(scene, await made(scene, "abc"))
    assert batch.counts.succeeded == 3
    assert Counter(said(request) for _, request in scene.sender.sent) == Counter("abc")


# ----------------------------------------------------------------------------------------------------------- endings


async def test_cancelling_lets_what_is_under_way_end_and_begins_nothing_more(tmp_path: Path) -> None:
    held = Held()
    scene = BatchScene(tmp_path, answers=held, limits=BatchLimits(at_once=2))
    async with scene.working():
        batch = await made(scene, "abcde")
        await until(lambda: len(held.asked) == 2)
        assert (await scene.batches.cancel(scene.keys["red"], "openai", batch.id)).state == "cancelling"
        held.go.set()
        batch = await ended(scene, batch)
        with pytest.raises(InvalidRequest, match="has ended"):
            await scene.batches.cancel(scene.keys["red"], "openai", batch.id)
    assert batch.state == "cancelled"
    assert (batch.counts.succeeded, batch.counts.cancelled) == (2, 3)
    assert (await lines(scene, batch)).keys() == set(held.asked)
    errors = await lines(scene, batch, "error")
    assert {line["error"]["code"] for line in errors.values()} == {"batch_cancelled"}
    assert len(errors) == 3


async def test_a_batch_that_was_cancelled_before_it_was_read_asks_nothing(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path)
    batch = await made(scene, "ab")
    await scene.batches.cancel(scene.keys["red"], "openai", batch.id)
    async with scene.working():
        assert (await ended(scene, batch)).state == "cancelled"
    assert scene.sender.sent == []


async def test_what_is_not_asked_in_time_expires(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path, offers=(offer("home", side="own"),), idle=lambda _: False)
    async with scene.working():
        batch = await made(scene, "ab")
        await until(lambda: bool(scene.batches._runner._runs))
        scene.clock.pass_(timedelta(hours=24))
        batch = await ended(scene, batch)
        errors = await lines(scene, batch, "error")
    assert (batch.state, batch.counts.expired) == ("expired", 2)
    assert {line["error"]["code"] for line in errors.values()} == {"batch_expired"}
    assert scene.sender.sent == []


async def test_a_revoked_key_stops_its_batches_and_no_others(tmp_path: Path) -> None:
    held = Held()
    keys = {"red": key("red"), "other": key("other")}
    scene = BatchScene(tmp_path, answers=held, keys=keys, limits=BatchLimits(at_once=2))
    async with scene.working():
        batch = await made(scene, "abcd")
        await until(lambda: len(held.asked) == 2)
        del scene.in_force[keys["red"].hash]
        other = await made(scene, "xy", by="other")
        held.go.set()
        batch = await ended(scene, batch)
        assert (await ended(scene, other)).counts.succeeded == 2
        errors = await lines(scene, batch, "error")
    assert (batch.state, batch.counts.succeeded, batch.counts.revoked) == ("cancelled", 2, 2)
    assert [complaint.code for complaint in batch.complaints] == ["invalid_api_key"]
    assert {line["error"]["code"] for line in errors.values()} == {"invalid_api_key"}


async def test_a_file_that_is_deleted_before_it_was_read_fails_its_batch(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path)
    batch = await made(scene, "ab")
    assert batch.input_file is not None
    await scene.batches.delete_file(scene.keys["red"], batch.input_file)
    async with scene.working():
        batch = await ended(scene, batch)
    assert [complaint.code for complaint in batch.complaints] == ["file_not_found"]


async def test_output_is_kept_as_long_as_was_asked_for_and_the_batch_as_long_as_the_limits_say(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path)
    async with scene.working():
        batch = await ended(scene, await made(scene, "a", keep_seconds=3600))
    assert batch.output_file is not None
    scene.clock.pass_(timedelta(hours=1))
    with pytest.raises(NotFound):
        await scene.batches.file(scene.keys["red"], batch.output_file)
    assert (await now(scene, batch)).state == "completed"
    scene.clock.pass_(scene.limits.keep)
    scene.store.sweep(scene.clock())
    with pytest.raises(NotFound):
        await now(scene, batch)
    with scene.database.transaction(writing=False) as connection:
        for table in ("files", "file_pieces", "batches", "batch_lines"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0


# ------------------------------------------------------------------------------------------------- perimeter and rights


async def test_every_line_carries_the_labels_of_its_file_its_batch_and_its_key(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path, keys={"red": key("red", labels=frozenset({Label("internal")})), "lab": key("lab")})
    file = await scene.batches.upload(
        scene.keys["lab"], "in", chat_lines("a"), labels=[Labelled(Label("phi"), "header")]
    )
    async with scene.working():
        batch = await scene.batches.create(
            scene.keys["red"], endpoint=CHAT, input_file=file.id, labels=[Labelled(Label("legal"), "header")]
        )
        batch = await ended(scene, batch)
        errors = await lines(scene, batch, "error")
    found = {labelled.label: labelled for labelled in scene.ledger.entry.labels}
    assert {name: one.source for name, one in found.items()} == {"internal": "key", "legal": "header", "phi": "part"}
    assert found[Label("phi")].where == "input_file_id"
    # The offer is cleared for none of them.
    assert errors["a"]["response"]["body"]["error"]["code"] == "perimeter_denied"
    assert scene.sender.sent == []


async def test_a_key_that_is_held_to_workloads_is_so_in_batches(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path, keys={"red": key("red", workloads=frozenset({"other"}))})
    async with scene.working():
        errors = await lines(scene, await ended(scene, await made(scene, "a")), "error")
    assert errors["a"]["response"]["body"]["error"]["code"] == "workload_not_allowed"


async def test_entries_say_whose_batch_it_was(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path)
    async with scene.working():
        await ended(scene, await made(scene, "a", by="blue", workload="w", conversation="nightly"))
    entry = scene.ledger.entry
    assert (entry.principal, entry.workload, entry.conversation) == (scene.keys["blue"].principal, "w", "nightly")


# ----------------------------------------------------------------------------------------------------------- limits


async def test_more_than_the_limits_allow_is_refused(tmp_path: Path) -> None:
    limits = BatchLimits(lines=2, file_bytes=400, tenant_bytes=900, open=2)
    scene = BatchScene(tmp_path, limits=limits)
    red, blue = scene.keys["red"], scene.keys["blue"]
    with pytest.raises(TooLarge, match="400 bytes"):
        await scene.batches.upload(red, "in", b"x" * 401)
    for _ in range(2):
        await made(scene, "a")
    with pytest.raises(TooMany, match="2 batches are open") as caught:
        await made(scene, "a")
    assert caught.value.status == 429
    await made(scene, "a", by="blue")
    await scene.batches.upload(red, "in", b"x" * 400)
    with pytest.raises(TooLarge, match="900 bytes together"):
        await scene.batches.upload(red, "in", b"x" * 400)
    with pytest.raises(TooLarge, match="2 requests"):
        await scene.batches.create_messages(blue, [(name, b"{}") for name in "abc"])


async def test_a_file_of_too_many_lines_fails_its_batch(tmp_path: Path) -> None:
    scene = BatchScene(tmp_path, limits=BatchLimits(lines=2))
    async with scene.working():
        good, bad = await made(scene, "ab"), await made(scene, "abc")
        assert (await ended(scene, good)).state == "completed"
        assert [one.code for one in (await ended(scene, bad)).complaints] == ["too_many_lines"]
    assert scene.store.tally(bad.id)[0].total == 0


# ------------------------------------------------------------------------------------------------------------- restarts


def process(*, pid: int, started: str | None) -> str:
    """Another process of this machine, as the store names it."""
    return msgspec.json.encode({"host": this_process().host, "pid": pid, "started": started}).decode()


async def test_a_stop_loses_no_line_and_repeats_no_result(tmp_path: Path) -> None:
    held = Held()

    def half(offer: Offer, request: WireRequest) -> FakeResponse:
        return echo(offer, request) if said(request) in "abc" else held(offer, request)

    first = BatchScene(tmp_path, answers=half, limits=BatchLimits(at_once=2))
    async with first.working():
        batch = await made(first, "abcdefgh")
        await until(lambda: len(held.asked) == 2)
    assert (await now(first, batch)).counts.succeeded == 3
    second = BatchScene(tmp_path)
    async with second.working():
        batch = await ended(second, batch)
    assert (batch.state, batch.counts.succeeded) == ("completed", 8)
    assert (await lines(second, batch)).keys() == set("abcdefgh")
    assert Counter(said(request) for _, request in second.sender.sent) == Counter("defgh")


async def test_a_batch_in_the_hands_of_a_living_process_is_left_to_it(tmp_path: Path) -> None:
    held = Held()
    first = BatchScene(tmp_path, answers=held)
    second = BatchScene(tmp_path, holder=process(pid=1, started=None))
    async with first.working():
        batch = await made(first, "ab")
        await until(lambda: len(held.asked) == 2)
        async with second.working():
            second.batches._runner.wake()
            await anyio.sleep(0.2)
        assert second.sender.sent == []
        held.go.set()
        await ended(first, batch)


async def test_a_batch_whose_holder_died_is_taken_over(tmp_path: Path) -> None:
    dead = BatchScene(tmp_path, holder=process(pid=this_process().pid, started="boot/1"))
    batch = await made(dead, "ab")
    assert [one.id for one in dead.store.claim()] == [batch.id]
    heir = BatchScene(tmp_path)
    async with heir.working():
        assert (await ended(heir, batch)).counts.succeeded == 2


@pytest.mark.parametrize("after", ["_validate", "_write", "settle_rest", "end"])
async def test_a_crash_in_the_middle_of_reading_or_writing_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """What a batch's steps leave half done, the next process does again."""
    first = BatchScene(tmp_path)
    died = anyio.Event()

    def crash(*_: object, **__: object) -> Any:
        anyio.from_thread.run_sync(died.set)
        raise LedgerError("The power is off.")

    target = first.store if hasattr(first.store, after) else first.batches._runner
    if after == "_validate":
        add_lines, calls = first.store.add_lines, [0]

        def crash_half_way(some: Any) -> None:
            add_lines(some)
            calls[0] += 1
            if calls[0] == 2:
                crash()

        monkeypatch.setattr(first.store, "add_lines", crash_half_way)
    elif after == "_write":
        real = first.batches._runner._write

        def crash_after(*arguments: Any) -> Any:
            real(*arguments)
            crash()

        monkeypatch.setattr(target, after, crash_after)
    else:
        monkeypatch.setattr(target, after, crash)
    monkeypatch.setattr(runner, "PAGE", 8)
    texts = [f"t{n}" for n in range(30)]
    async with first.working():
        batch = await made(first, texts)
        if after == "settle_rest":
            await _cancel_when_asked(first, batch)
        with anyio.fail_after(15):
            await died.wait()
    second = BatchScene(tmp_path)
    async with second.working():
        batch = await ended(second, batch)
    assert batch.counts.total == len(texts)
    told = await lines(second, batch)
    if batch.error_file is not None:
        told |= await lines(second, batch, "error")
    assert told.keys() == set(texts)
    asked = Counter(said(request) for scene in (first, second) for _, request in scene.sender.sent)
    assert max(asked.values()) == 1


async def _cancel_when_asked(scene: BatchScene, batch: Batch) -> None:
    await until(lambda: len(scene.sender.sent) > 10)
    await scene.batches.cancel(scene.keys["red"], "openai", batch.id)


async def test_rules_hold_line_by_line(tmp_path: Path) -> None:
    perimeter = Perimeter(
        policy=policy(rule("pii", kinds=frozenset({"email"}))), detectors=[WordDetector({"email": r"\S+@\S+"})]
    )
    scene = BatchScene(tmp_path, gate=Gate(perimeter))
    async with scene.working():
        batch = await ended(scene, await made(scene, ["hello", "write to anna@example.org"]))
        assert (await lines(scene, batch)).keys() == {"hello"}
        (error,) = (await lines(scene, batch, "error")).values()
    assert error["response"]["body"]["error"]["code"] == "perimeter_denied"
    assert all(b"example.org" not in request.body for _, request in scene.sender.sent)
