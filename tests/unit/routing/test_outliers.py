import random

from hypothesis import given
from hypothesis import strategies as st

from isthmus.routing.health import HealthBoard
from isthmus.routing.outliers import (
    EJECTED,
    ENOUGH_OF_ITSELF,
    FIRST_SHARE,
    LONGEST_EJECTED,
    MOST_EJECTED,
    RETURNING,
    Record,
    is_outlier,
)


def record(rate: float, answers: int = 100) -> Record:
    return Record(answers=answers, failing=rate)


def test_who_fails_much_more_often_than_its_peers_is_an_outlier() -> None:
    assert is_outlier(record(0.5), [record(0.05), record(0.1)], 0.0)


def test_who_fails_as_often_as_its_peers_is_none() -> None:
    assert not is_outlier(record(0.5), [record(0.4), record(0.5)], 0.0)


def test_without_peers_that_are_known_nobody_is_an_outlier() -> None:
    assert not is_outlier(record(1.0), [], 0.0)
    assert not is_outlier(record(1.0), [record(0.0, answers=1)], 0.0)


def test_a_few_answers_say_nothing() -> None:
    assert not is_outlier(record(1.0, answers=ENOUGH_OF_ITSELF - 1), [record(0.0)], 0.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_never_more_than_the_share_is_ejected(rates: list[float], draw: random.Random) -> None:
    board, names, now = HealthBoard(), [str(number) for number in range(len(rates))], 1000.0
    for _ in range(60):
        for name, rate in zip(names, rates, strict=True):
            if draw.random() < rate:
                board.of(name).record.count(failed=True)
                board.compare(name, names, now)
            else:
                board.of(name).record.count(failed=False)
            out = [other for other in names if board.of(other).record.until > now]
            assert len(out) <= MOST_EJECTED * len(names)
        now += 0.01


def test_an_ejected_offer_goes_last_for_a_time_then_by_and_by_comes_back() -> None:
    board, names = HealthBoard(), ["a", "b"]
    for turn in range(40):
        board.of("b").record.count(failed=False)
        board.of("a").record.count(failed=turn % 2 == 0)
    board.compare("a", names, 100.0)
    assert "goes last for 30.0 s more" in board.held_back(names, 100.0)["a"]
    assert "b" not in board.held_back(names, 100.0)
    just_back = 100.0 + EJECTED
    first = sum("a" not in board.held_back(names, just_back) for _ in range(1000))
    assert abs(first - 1000 * FIRST_SHARE) <= 2
    half = sum("a" not in board.held_back(names, just_back + RETURNING / 2) for _ in range(1000))
    assert 500 < half < 600
    assert not board.held_back(names, just_back + RETURNING)


def test_each_ejection_is_longer_up_to_a_bound() -> None:
    one = Record()
    lengths = []
    for _ in range(20):
        one.eject(0.0)
        lengths.append(one.until)
    assert lengths[:3] == [EJECTED, 2 * EJECTED, 3 * EJECTED]
    assert max(lengths) == LONGEST_EJECTED
