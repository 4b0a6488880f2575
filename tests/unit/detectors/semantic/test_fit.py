from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from isthmus.detectors.semantic.embedding import Embedder
from isthmus.detectors.semantic.examples import Example, read, shipped
from isthmus.detectors.semantic.fit import describe, fit
from isthmus.detectors.semantic.gate import SemanticGate, make
from isthmus.detectors.semantic.kinds import KINDS
from isthmus.detectors.semantic.weights import SHIPPED, content_hash, load, save
from isthmus.domain.errors import ConfigError

PROJECT = [Example(text=f"Project Heron: {what}.", kinds=("heron",)) for what in (
    "the wing test is on Monday", "the budget rises to four million", "send the drawings of the rotor",
    "the pilot reports strong vibrations", "the supplier of the rotor is late", "we fly again in June",
)]  # fmt: skip
OTHERS = [Example(text=text) for text in (
    "How do I boil an egg?", "Write a poem about rain.", "What is the capital of Peru?", "Sort this list of numbers.",
    "Explain how tides work.", "Plan a picnic for six.", "Translate good morning into Greek.",
)]  # fmt: skip


def test_an_organisation_can_teach_a_kind_of_its_own(embedder: Embedder, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    weights = fit([*PROJECT, *OTHERS], base=False, embedder=embedder, progress=lambda *step: steps.append(step))
    save(weights, tmp_path / "deep" / "weights.json")
    gate = make(tmp_path / "deep" / "weights.json")
    assert gate.kinds == {"heron"}
    assert [f.kind for f in gate.find(["Project Heron: the engine of the rotor is too hot."])[0]][:1] == ["heron"]
    assert gate.find(["What is the highest mountain of Chile?"]) == [[]]
    assert steps[-1][0] == steps[-1][1] == max(of for _, of in steps)
    assert weights.report.own.of == len(PROJECT) + len(OTHERS)
    assert "heron" in describe(weights.report)


def test_the_same_examples_in_another_order_give_the_same_weights(embedder: Embedder) -> None:
    one = fit([*PROJECT, *OTHERS], base=False, embedder=embedder)
    other = fit([*reversed(OTHERS), *reversed(PROJECT)], base=False, embedder=embedder)
    assert one.examples_hash == other.examples_hash
    assert one.wide == pytest.approx(other.wide, abs=1e-3)
    assert one.gate.bias == pytest.approx(other.gate.bias, abs=1e-3)


@pytest.mark.parametrize(
    "examples", [[], PROJECT, OTHERS, [*PROJECT[:2], *OTHERS]], ids=["none", "no harmless", "no kinds", "two of a kind"]
)
def test_too_few_examples_are_refused_with_the_number_needed(examples: list[Example], embedder: Embedder) -> None:
    with pytest.raises(ConfigError, match="5 are needed"):
        fit(examples, base=False, embedder=embedder)


def test_weights_come_back_as_they_were_saved(tmp_path: Path, embedder: Embedder) -> None:
    weights = load()
    save(weights, tmp_path / "w.json")
    assert (tmp_path / "w.json").read_bytes() == SHIPPED.read_bytes()
    text = ["Ms Orwell is pregnant and her boss must not know."]
    assert SemanticGate(embedder, load(tmp_path / "w.json")).find(text) == SemanticGate(embedder, weights).find(text)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 99}, "format 99"),
        ({"embedding": "another"}, "'another'"),
        ({"kinds": {}}, "no kind"),
        ({"gate": {"bias": 0.0, "weights": [1.0]}}, "line of 1 numbers"),
        ({"extra": 1}, "none of ours"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps(json.loads(SHIPPED.read_text()) | change))
    with pytest.raises(ConfigError, match=sentence) as caught:
        load(path)
    assert str(path) in caught.value.message


def test_weights_that_are_missing_or_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConfigError, match="none of ours"):
        load(tmp_path / "bad.json")


@pytest.mark.parametrize(
    "line", ["{", '{"kinds": []}', '{"text": " "}', '{"text": "a", "kind": "x"}', '{"text": "a", "sort": "sensitive"}']
)
def test_a_line_that_is_no_example_is_named_by_its_number_and_not_shown(tmp_path: Path, line: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(f'{{"text": "fine", "kinds": []}}\n\n{line}\n')
    with pytest.raises(ConfigError, match="line 3") as caught:
        list(read(path))
    assert "fine" not in caught.value.sentence


def test_the_shipped_examples_cover_every_kind_in_at_least_fourteen_languages() -> None:
    sensitive = [example for example in shipped() if example.kinds]
    assert {kind for example in sensitive for kind in example.kinds} == KINDS
    assert len({example.lang for example in sensitive}) >= 14
    for kind in KINDS:
        assert len({example.lang for example in sensitive if kind in example.kinds}) >= 8


def test_no_shipped_example_stands_there_twice() -> None:
    texts = [example.text for example in shipped()]
    assert len(texts) == len(set(texts))


def test_the_shipped_weights_were_fitted_on_the_shipped_examples() -> None:
    assert load().examples_hash == content_hash([msgspec.json.encode(example) for example in shipped()])
