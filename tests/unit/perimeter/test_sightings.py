import random

import pytest

from isthmus.perimeter.sightings import REFRESH_DAYS, SEVERAL, Sightings

DAY = 20_000
RUNS = [3, -5, 2**62, -(2**63), 0]


def test_a_run_is_common_in_the_third_conversation_and_not_before() -> None:
    table = Sightings()
    told = [table.add(RUNS, conversation, day=DAY) for conversation in range(1, SEVERAL + 1)]
    assert [set(one.common) for one in told] == [set(), set(), set(RUNS)]
    assert [set(one.elsewhere) for one in told] == [set(), set(RUNS), set(RUNS)]
    assert set(told[1].elsewhere.values()) == {1}


def test_a_conversation_that_goes_on_counts_once() -> None:
    table = Sightings()
    for _ in range(10):
        assert table.add(RUNS, 1, day=DAY).elsewhere == {}
    for _ in range(10):
        assert table.add(RUNS, 1, day=DAY).common == []
        assert table.add(RUNS, 2, day=DAY).common == []


def test_what_is_settled_is_told_again_only_after_a_week() -> None:
    table = Sightings()
    for conversation in range(1, SEVERAL + 1):
        table.add(RUNS, conversation, day=DAY)
    table.settle(RUNS, day=DAY)
    assert table.add(RUNS, 9, day=DAY + REFRESH_DAYS - 1) == ([], {})
    told = table.add(RUNS, 9, day=DAY + REFRESH_DAYS)
    assert set(told.common) == set(told.elsewhere) == set(RUNS)


def test_what_is_cleared_counts_as_never_seen() -> None:
    table = Sightings()
    for conversation in range(1, SEVERAL):
        table.add(RUNS, conversation, day=DAY)
    table.clear(RUNS[:2])
    assert set(table.add(RUNS, 9, day=DAY).common) == set(RUNS[2:])


def test_a_full_table_forgets_what_was_seen_longest_ago_and_never_takes_one_run_for_another() -> None:
    table = Sightings(places=1024)
    numbers = random.Random(7)
    kept = [numbers.getrandbits(63) for _ in range(100)]
    for conversation in (1, 2):
        for _ in range(20):
            assert table.add([numbers.getrandbits(63) for _ in range(200)], conversation, day=DAY) == ([], {})
            table.add(kept, conversation, day=DAY)
    common = set(table.add(kept, 3, day=DAY).common)
    assert common <= set(kept)
    assert len(common) > 80


def test_runs_that_share_a_set_all_find_a_place() -> None:
    table = Sightings(places=1024)
    alike = [number << 40 for number in range(8)]
    table.add(alike, 1, day=DAY)
    assert set(table.add(alike, 2, day=DAY).elsewhere) == set(alike)


def test_the_number_of_places_is_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        Sightings(places=1000)
