from __future__ import annotations

from isthmus.detectors.semantic.remembered import Remembered
from isthmus.detectors.semantic.weights import Judgement

SOME = Judgement(wide=True, narrow=False, kinds=("health",))


def test_what_was_put_is_given_back_and_nothing_else() -> None:
    remembered = Remembered(10)
    remembered.put("a", SOME)
    assert remembered.get("a") == SOME
    assert remembered.get("b") is None


def test_the_least_recently_asked_for_is_forgotten_first() -> None:
    remembered = Remembered(2)
    remembered.put("a", SOME)
    remembered.put("b", SOME)
    remembered.get("a")
    remembered.put("c", SOME)
    assert len(remembered) == 2
    assert remembered.get("b") is None
    assert remembered.get("a") == remembered.get("c") == SOME


def test_no_text_is_kept() -> None:
    remembered = Remembered(2)
    remembered.put("Margaret has diabetes", SOME)
    assert "Margaret" not in repr(vars(remembered))


def test_two_memories_name_the_same_text_differently() -> None:
    one, other = Remembered(2), Remembered(2)
    one.put("a", SOME)
    other.put("a", SOME)
    assert vars(one)["_judgements"].keys() != vars(other)["_judgements"].keys()
