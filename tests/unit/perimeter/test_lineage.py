import itertools
import json
import random
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.domain.errors import InvalidRequest, LedgerError
from isthmus.domain.label import Label
from isthmus.ledger.fingerprints import FingerprintFile
from isthmus.perimeter.lineage import Lineage, Recollection, Seen
from isthmus.perimeter.winnow import GUARANTEE, normalise

KEY = bytes(range(32))
PHI, LEGAL = Label("phi"), Label("legal")
DAY = 24 * 3600.0
FOREVER = {PHI: None}

_numbers = random.Random(11)
_WORDS = ["".join(_numbers.choices("abcdefghijklmnopqrstuvwxyz", k=_numbers.randint(2, 9))) for _ in range(3000)]
_tenants = (f"tenant-{number}" for number in itertools.count())


def prose(words: int, seed: object = None) -> str:
    chosen = _numbers if seed is None else random.Random(repr(seed))
    return " ".join(chosen.choices(_WORDS, k=words))


class Clock:
    def __init__(self) -> None:
        self.now = 1.8e9

    def __call__(self) -> float:
        return self.now


class Place:
    """A lineage, and one tenant in it."""

    def __init__(self, lineage: Lineage, clock: Clock) -> None:
        self.lineage = lineage
        self.clock = clock
        self.tenant = next(_tenants)
        self._conversations = itertools.count()

    def pass_unlabelled(self, *texts: str, conversation: str | None = None, boilerplate: bool = False) -> None:
        named = conversation or f"conversation {next(self._conversations)}"
        seen = [Seen(text=text, labels={}, boilerplate=boilerplate) for text in texts]
        self.lineage.remember(self.tenant, named, seen)

    def pass_labelled(self, *texts: str, seconds: float | None = None, label: Label = PHI) -> None:
        named = f"conversation {next(self._conversations)}"
        seen = [Seen(text=text, labels={label: seconds}, origin=f"request req_{named[13:]}") for text in texts]
        self.lineage.remember(self.tenant, named, seen)

    def recall(self, text: str) -> tuple[Recollection, ...]:
        return self.lineage.recall(self.tenant, [text])[0]

    def labels(self, text: str) -> set[Label]:
        return {found.label for found in self.recall(text)}


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Lineage, Clock]]:
    with tempfile.TemporaryDirectory() as folder:
        store = FingerprintFile(Path(folder) / "lineage.db")
        clock = Clock()
        yield Lineage(store, KEY, clock=clock), clock
        store.close()


@pytest.fixture
def place(shared: tuple[Lineage, Clock]) -> Place:
    return Place(*shared)


# ---------------------------------------------------------------------------------------------------- recognising


@settings(deadline=None)  # it writes to a disk
@given(
    text=st.text(min_size=GUARANTEE, max_size=600).filter(lambda text: len(normalise(text).units) >= GUARANTEE),
    before=st.text(alphabet="abc .\n", max_size=200),
    after=st.text(alphabet="xyz .\n", max_size=200),
    registered=st.booleans(),
    data=st.data(),
)
def test_every_stretch_of_the_guaranteed_length_of_labelled_text_is_recognised(
    shared: tuple[Lineage, Clock], text: str, before: str, after: str, registered: bool, data: st.DataObject
) -> None:
    place = Place(*shared)
    if registered:
        place.lineage.register(place.tenant, PHI, "record", [text])
    else:
        place.pass_labelled(text)
    units, places = normalise(text)
    first = data.draw(st.integers(0, len(units) - GUARANTEE))
    cut = text[places[first] : places[first + GUARANTEE - 1] + 1]
    if normalise(cut).text in normalise(text).text and len(normalise(before + cut + after).units) >= len(
        normalise(cut).units
    ) + len(normalise(before).units) + len(normalise(after).units):
        (found, *_) = place.recall(before + cut + after)
        assert found.label == PHI
        assert len(before) <= found.start < found.end <= len(before) + len(cut) + 1


def test_a_recollection_tells_where_it_stands_and_where_it_comes_from_and_nothing_of_the_text(place: Place) -> None:
    record, note = prose(60), prose(60)
    place.lineage.register(place.tenant, LEGAL, "contracts/acme.docx", [record])
    place.pass_labelled(note)
    first, second = place.recall(f"{prose(20)} {record} {prose(20)} {note}")
    assert (first.label, first.origin) == (LEGAL, "document contracts/acme.docx")
    assert second.label == PHI
    assert second.origin.startswith("request req_")
    assert first.end - first.start > len(record) - 150
    assert first.end < second.start


def test_texts_are_told_apart(place: Place) -> None:
    record = prose(60)
    place.pass_labelled(record)
    found = place.lineage.recall(place.tenant, ["", prose(60), record, "short"])
    assert [bool(one) for one in found] == [False, False, True, False]


def test_a_record_in_the_arguments_of_a_tool_call_is_recognised(place: Place) -> None:
    record = "Seen on 4 March:\n\n\t“chest pain”, ünwell. " + prose(30)
    place.pass_labelled(record)
    arguments = json.dumps({"to": "desk", "body": json.dumps({"text": record, "n": 1})})
    assert place.labels(arguments) == {PHI}


def test_a_short_labelled_text_is_recognised_when_it_is_sent_again_as_it_was(place: Place) -> None:
    place.pass_labelled("Maria Gonzalez-Ruiz, HIV positive since 2019")
    assert place.labels("MARIA GONZALEZ-RUIZ: HIV positive since 2019!") == {PHI}


def test_tenants_never_recognise_what_is_anothers(place: Place, shared: tuple[Lineage, Clock]) -> None:
    other = Place(*shared)
    record, document = prose(100), prose(100)
    place.pass_labelled(record)
    place.lineage.register(place.tenant, PHI, "record", [document])
    assert other.labels(record + document) == set()
    assert other.lineage.documents(other.tenant) == []


def test_all_labels_of_a_text_come_back_from_wherever_they_were_put(place: Place) -> None:
    record = prose(80)
    place.pass_labelled(record)
    place.pass_labelled(record, label=LEGAL)
    assert place.labels(record) == {PHI, LEGAL}


def test_what_is_remembered_outlives_the_process(tmp_path: Path) -> None:
    record, common = prose(80), prose(80)
    clock = Clock()
    for step in range(2):
        store = FingerprintFile(tmp_path / "lineage.db")
        place = Place(Lineage(store, KEY, clock=clock), clock)
        place.tenant = "default"
        if step == 0:
            place.pass_labelled(record)
            for _ in range(3):
                place.pass_unlabelled(common)
        else:
            place.pass_labelled(common)
            assert place.labels(record) == {PHI}
            assert place.labels(common) == set()
        store.close()


def test_another_key_is_refused_since_it_would_recognise_nothing(tmp_path: Path) -> None:
    store = FingerprintFile(tmp_path / "lineage.db")
    Lineage(store, KEY, clock=Clock())
    with pytest.raises(LedgerError, match="another key"):
        Lineage(store, bytes(32), clock=Clock())
    store.close()


# ------------------------------------------------------------------------------------------------------ expiry


def test_a_label_is_forgotten_when_its_time_is_over(place: Place) -> None:
    record = prose(80)
    place.pass_labelled(record, seconds=10 * DAY)
    place.pass_labelled(record, seconds=2 * DAY, label=LEGAL)
    place.clock.now += 3 * DAY
    assert place.labels(record) == {PHI}
    place.clock.now += 8 * DAY
    assert place.labels(record) == set()


def test_a_labelled_text_seen_again_in_the_second_half_of_its_time_is_remembered_anew(place: Place) -> None:
    record = prose(80)
    place.pass_labelled(record, seconds=10 * DAY)
    place.clock.now += 6 * DAY
    place.pass_labelled(record, seconds=10 * DAY)
    place.clock.now += 9 * DAY
    assert place.labels(record) == {PHI}


def test_a_label_that_is_not_to_be_remembered_is_not_and_its_text_does_not_count_as_unlabelled(place: Place) -> None:
    record = prose(80)
    for _ in range(4):
        place.pass_labelled(record, seconds=0)
    assert place.labels(record) == set()
    place.pass_labelled(record)
    assert place.labels(record) == {PHI}


def test_what_has_expired_is_removed_once_an_hour(tmp_path: Path) -> None:
    store, clock = FingerprintFile(tmp_path / "lineage.db"), Clock()
    place = Place(Lineage(store, KEY, clock=clock), clock)
    record = prose(80)
    place.pass_labelled(record, seconds=60)
    clock.now += 3700
    place.pass_unlabelled(prose(10))
    for thread in threading.enumerate():
        if thread.name == "lineage-tidy":
            thread.join(20)
    clock.now -= 3700  # what is only past its time would be back
    assert place.labels(record) == set()
    store.close()


# ---------------------------------------------------------------------------------------------- over-tainting


def test_system_prompts_and_tools_are_not_remembered(place: Place) -> None:
    system, record = prose(200), prose(80)
    seen = [
        Seen(text=system, labels={PHI: None}, boilerplate=True, origin="request req_1"),
        Seen(text=record, labels={PHI: None}, origin="request req_1"),
    ]
    place.lineage.remember(place.tenant, "one", seen)
    assert place.labels(system) == set()
    assert place.labels(record) == {PHI}


def test_text_seen_unlabelled_in_three_conversations_is_not_remembered_and_in_two_it_is(place: Place) -> None:
    once, twice, thrice = prose(80), prose(80), prose(80)
    for texts in ((once, twice, thrice), (twice, thrice), (thrice,)):
        place.pass_unlabelled(*texts)
    place.pass_labelled(f"{once} {twice} {thrice}")
    assert (place.labels(once), place.labels(twice), place.labels(thrice)) == ({PHI}, {PHI}, set())


def test_one_conversation_that_repeats_itself_makes_nothing_common(place: Place) -> None:
    text = prose(80)
    for _ in range(5):
        place.pass_unlabelled(text, conversation="one and the same")
    place.pass_labelled(text)
    assert place.labels(text) == {PHI}


def test_a_record_beside_a_shared_example_taints_only_itself(place: Place) -> None:
    example = prose(150, "example")
    for _ in range(3):
        place.pass_unlabelled(f"{example} {prose(30)}")
    records = [prose(60) for _ in range(20)]
    for record in records:
        place.pass_labelled(f"{prose(3)} {example} {record}")
    for record in records:
        assert place.labels(f"{prose(30)} {record} {prose(30)}") == {PHI}
    for _ in range(200):
        assert place.labels(f"{prose(3)} {example} {prose(30)}") == set()


def test_the_first_letters_after_a_shared_example_taint_nobody(place: Place) -> None:
    example = prose(100, "example")
    for _ in range(3):
        place.pass_unlabelled(f"{example} {prose(30)}")
    names = ["maria", "mark", "martin", "marta"]
    for name in names:
        place.pass_labelled(f"{example} {name} {prose(40)}")
    for name in names * 20:
        assert place.labels(f"{example} {name} {prose(40)}") == set()


def test_repeating_a_labelled_text_without_its_label_does_not_wash_it_off(place: Place) -> None:
    record, quoted = prose(120), prose(120)
    place.pass_unlabelled(record)
    place.pass_unlabelled(record)
    place.pass_labelled(record)
    place.lineage.register(place.tenant, LEGAL, "quoted", [quoted])
    for _ in range(6):
        place.pass_unlabelled(f"{prose(20)} {record[100:600]} {prose(20)} {quoted} {prose(9)}")
        place.pass_unlabelled(record, boilerplate=True)
    assert place.labels(record) == {PHI}
    place.lineage.forget(place.tenant, "quoted")
    place.pass_labelled(quoted)
    assert place.labels(quoted) == {PHI}


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_whatever_passes_unlabelled_afterwards_a_labelled_text_stays_recognised(
    shared: tuple[Lineage, Clock], data: st.DataObject
) -> None:
    place = Place(*shared)
    record = prose(120, "washing")
    pieces = st.tuples(st.integers(0, len(record)), st.integers(0, len(record)), st.integers(0, 12))
    place.pass_labelled(f"{prose(10)} {record} {prose(10)}")
    for first, last, other in data.draw(st.lists(pieces, max_size=12)):
        place.pass_unlabelled(f"{prose(other)}{record[first:last]}{prose(other)}", boilerplate=other == 0)
    at = data.draw(st.integers(0, len(record) - 150))
    assert place.labels(f"{prose(5)} {record[at : at + 150]} {prose(5)}") == {PHI}


def test_after_its_label_expired_a_text_may_become_common(place: Place) -> None:
    text = prose(80)
    place.pass_labelled(text, seconds=DAY)
    place.clock.now += 2 * DAY
    for _ in range(3):
        place.pass_unlabelled(text)
    place.pass_labelled(text)
    assert place.labels(text) == set()


def test_what_is_common_stays_so_while_it_is_in_use_and_ends_when_it_is_not(place: Place) -> None:
    used, unused = prose(80), prose(80)
    for _ in range(3):
        place.pass_unlabelled(used, unused)
    for _ in range(20):
        place.clock.now += 8 * DAY
        place.pass_unlabelled(used)
    place.pass_labelled(used, unused)
    assert place.labels(used) == set()
    assert place.labels(unused) == {PHI}


def test_what_stands_around_a_recalled_stretch_may_become_common(place: Place) -> None:
    chunk, template = prose(80), prose(80)
    place.lineage.register(place.tenant, LEGAL, "contract", [chunk])
    for _ in range(3):
        place.pass_unlabelled(f"{template} {chunk} {prose(20)}")
    place.pass_labelled(f"{template} {prose(40)}")
    assert place.labels(f"{template} {prose(40)}") == set()
    assert place.labels(f"{template} {chunk}") == {LEGAL}


def test_a_conversation_is_known_by_its_earlier_turns_and_not_by_the_examples_it_begins_with(place: Place) -> None:
    def named(*said: str) -> str:
        return place.lineage.conversation(place.tenant, said)

    examples = ("2+2?", "4", "3+3?", "6")
    one, other = named(*examples, "5+5?"), named(*examples, "7+7?")
    assert one != other
    assert named(*examples, "5+5?", "10", "and 6+6?") == one
    assert named(*examples, "5+5?", "10", "and 6+6?", "12", "thanks") == one
    assert named(*examples, "5+5?") == one
    assert named(*examples, "7+7?", "14", "and 8+8?") == other
    assert named(*examples, "5+", "5?") not in {one, other}
    assert named() == named()


def test_a_registered_document_is_recognised_also_where_everybody_quotes_it(place: Place) -> None:
    document = prose(100)
    for _ in range(5):
        place.pass_unlabelled(document)
    place.lineage.register(place.tenant, LEGAL, "handbook", [document])
    assert place.labels(document) == {LEGAL}


def test_a_template_first_seen_in_a_labelled_request_taints_until_it_is_registered_as_harmless(place: Place) -> None:
    template, record = prose(100), prose(60)
    place.pass_labelled(f"{template} {record}")
    assert place.labels(f"{template} {prose(50)}") == {PHI}
    place.lineage.register(place.tenant, None, "template", [template])
    assert place.labels(f"{template} {prose(50)}") == set()
    assert place.labels(record) == {PHI}
    place.pass_labelled(f"{template} {prose(50)}")
    place.lineage.forget(place.tenant, "template")
    place.lineage.register(place.tenant, LEGAL, "template", [template])
    assert place.labels(template) >= {LEGAL}


def test_a_document_with_a_label_goes_before_one_that_is_harmless(place: Place) -> None:
    text = prose(100)
    place.lineage.register(place.tenant, LEGAL, "contract", [text])
    place.lineage.register(place.tenant, None, "template", [text])
    assert place.labels(text) == {LEGAL}


# ------------------------------------------------------------------------------------------------- documents


def test_documents_are_listed_replaced_and_forgotten_by_name(place: Place) -> None:
    old, new = prose(100), prose(100)
    first = place.lineage.register(place.tenant, PHI, "b", [old, prose(20)])
    assert (first.replaced, first.fingerprints > 20) == (False, True)
    place.lineage.register(place.tenant, None, "a", [prose(50)])
    again = place.lineage.register(place.tenant, LEGAL, "b", [new])
    assert again.replaced
    assert [(one.name, one.label) for one in place.lineage.documents(place.tenant)] == [("a", None), ("b", LEGAL)]
    assert (place.labels(old), place.labels(new)) == (set(), {LEGAL})
    assert place.lineage.forget(place.tenant, "b") == again.fingerprints
    assert place.labels(new) == set()
    with pytest.raises(InvalidRequest, match="No document is registered as 'b'"):
        place.lineage.forget(place.tenant, "b")


def test_a_document_too_short_to_be_recognised_is_not_registered_and_replaces_nothing(place: Place) -> None:
    text = prose(100)
    place.lineage.register(place.tenant, PHI, "a", [text])
    assert place.lineage.register(place.tenant, PHI, "a", ["short"]).fingerprints == 0
    assert place.labels(text) == {PHI}


def test_forgetting_a_document_leaves_what_another_one_has_in_common_with_it(place: Place) -> None:
    text = prose(100)
    place.lineage.register(place.tenant, PHI, "a", [text])
    place.lineage.register(place.tenant, LEGAL, "b", [text])
    place.lineage.forget(place.tenant, "a")
    assert place.labels(text) == {LEGAL}


def test_quoting_a_registered_document_does_not_make_it_remembered_beyond_its_forgetting(place: Place) -> None:
    text = prose(100)
    place.lineage.register(place.tenant, PHI, "a", [text])
    place.pass_labelled(text, seconds=30 * DAY)
    place.lineage.forget(place.tenant, "a")
    assert place.labels(text) == set()


def fail(*_: object, **__: object) -> Sequence[object]:
    raise LedgerError("The store is gone.")


def test_a_store_that_fails_is_never_taken_for_one_that_knows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FingerprintFile(tmp_path / "lineage.db")
    lineage = Lineage(store, KEY, clock=Clock())
    monkeypatch.setattr(store, "find", fail)
    with pytest.raises(LedgerError):
        lineage.recall("default", [prose(50)])
    with pytest.raises(LedgerError):
        lineage.remember("default", "one", [Seen(text=prose(50), labels={PHI: None}, origin="request req_1")])
    store.close()
