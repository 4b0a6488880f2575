from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.detectors.semantic.windows import NARROW, WIDE, WINDOW_BYTES, tidy, windows

TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from("abc .!?\n\0\u200b。\ufdfa漢é\ud800"), st.characters()), max_size=600
)
ENOUGH = st.sampled_from([NARROW, WIDE])


@given(text=TEXTS, enough=ENOUGH)
def test_windows_lie_in_the_text_in_order_and_do_not_overlap(text: str, enough: int) -> None:
    at = 0
    for start, end, _ in windows(text, enough):
        assert at <= start < end <= len(text)
        at = end


@given(text=TEXTS, enough=ENOUGH)
def test_whatever_a_reader_would_see_lies_in_a_window(text: str, enough: int) -> None:
    seen = "".join(tidy(content) for _, _, content in windows(text, enough))
    covered = sum(end - start for start, end, _ in windows(text, enough))
    assert bool(seen) == bool(tidy(text))
    outside, at = [], 0
    for start, end, _ in windows(text, enough):
        outside.append(text[at:start])
        at = end
    outside.append(text[at:])
    assert covered + sum(map(len, outside)) == len(text)
    assert not any(tidy(stretch) for stretch in outside)


@given(text=TEXTS, enough=ENOUGH)
def test_no_window_is_larger_than_the_embedding_reads_in_one_piece(text: str, enough: int) -> None:
    assert all(len(content.encode()) <= WINDOW_BYTES for _, _, content in windows(text, enough))


@given(text=TEXTS, more=TEXTS, enough=ENOUGH)
def test_a_text_that_grows_by_a_line_keeps_all_windows_but_the_last(text: str, more: str, enough: int) -> None:
    before = list(windows(text + "\n", enough))
    assert list(windows(f"{text}\n{more}", enough))[: max(0, len(before) - 1)] == before[:-1]


@given(text=TEXTS)
def test_tidied_text_holds_nothing_that_the_engine_cannot_take(text: str) -> None:
    content = tidy(text)
    assert "\0" not in content
    assert "\ufdfa" not in content
    content.encode()


def test_invisible_characters_are_dropped_and_gaps_closed() -> None:
    assert tidy("dia\u200bbe\u00adtes \0\n  \uff54\uff59\uff50\uff45 1") == "diabetes type 1"


def test_sentences_stay_whole() -> None:
    first, second = (
        "The first sentence is rather long, so that it fills a window.",
        "And the second one fills another window as well.",
    )
    assert [content for _, _, content in windows(f"{first} {second}", NARROW)] == [first, second]


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u200b", "\0"])
def test_text_without_content_has_no_windows(text: str) -> None:
    assert list(windows(text, WIDE)) == []
