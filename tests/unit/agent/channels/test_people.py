"""Who may speak to the agent by messages, and how others are paired."""

from __future__ import annotations

import itertools
import secrets
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.channels.people import ALPHABET, LIFETIME, MOST_OPEN, People

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
EVE = "matrix:@eve:example.org"


def asked(people: People, address: str = EVE, now: datetime = NOW) -> tuple[People, str | None]:
    changed, code = people.asked(address, "Eve", now, secrets.choice)
    return changed, None if code is None else code.code


def test_who_is_named_in_the_settings_may_speak_and_nobody_else() -> None:
    people = People().naming(["matrix:@me:example.org"])
    assert people.know("matrix:@me:example.org")
    assert not people.know(EVE)
    assert not people.know("matrix:@me:example.org.evil.test")


def test_a_code_has_eight_signs_that_nobody_mistakes() -> None:
    _, code = asked(People())
    assert code is not None
    assert len(code) == 8
    assert set(code) <= set(ALPHABET)
    assert not set("IL0O1") & set(ALPHABET)


def test_who_bears_a_confirmed_code_may_speak() -> None:
    people, code = asked(People())
    assert code is not None
    people, found = people.confirmed(f" {code[:4].lower()}-{code[4:].lower()} ", NOW)
    assert found is not None
    assert found.address == EVE
    assert people.know(EVE)
    assert not people.codes


def test_a_code_counts_once() -> None:
    people, code = asked(People())
    assert code is not None
    people, _ = people.confirmed(code, NOW)
    people, again = people.parted(EVE).confirmed(code, NOW)
    assert again is None
    assert not people.know(EVE)


def test_a_code_lapses_after_an_hour() -> None:
    people, code = asked(People())
    assert code is not None
    assert people.confirmed(code, NOW + LIFETIME)[1] is None
    assert people.confirmed(code, NOW + LIFETIME - timedelta(seconds=1))[1] is not None


def test_who_has_a_code_is_not_answered_again() -> None:
    people, _ = asked(People())
    assert asked(people)[1] is None


def test_no_more_than_three_codes_wait() -> None:
    people = People()
    codes = []
    for number in range(5):
        people, code = asked(people, f"matrix:@eve{number}:example.org")
        codes.append(code)
    assert [code is not None for code in codes] == [True] * MOST_OPEN + [False] * 2
    _, later = asked(people, EVE, NOW + LIFETIME)
    assert later is not None


steps_taken = st.tuples(st.sampled_from(["ask", "confirm", "part"]), st.integers(0, 5), st.integers(0, 90))


@given(st.lists(steps_taken, max_size=30))
def test_nobody_ever_speaks_whose_code_was_not_confirmed(steps: list[tuple[str, int, int]]) -> None:
    people, now, confirmed, signs = People(), NOW, set(), itertools.cycle(ALPHABET)
    for step, who, minutes in steps:
        now += timedelta(minutes=minutes)
        address = f"xmpp:u{who}@example.org"
        if step == "ask":
            people, _ = people.asked(address, "", now, lambda _: next(signs))
        elif step == "confirm" and who < len(people.codes):
            people, found = people.confirmed(people.codes[who].code, now)
            if found is not None:
                assert found.expires_at > now
                confirmed.add(found.address)
        else:
            people = people.parted(address)
        assert set(people.paired) <= confirmed
        assert len(people.codes) <= MOST_OPEN
