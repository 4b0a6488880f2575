"""What is taken off a text is off it, however its findings overlap."""

from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.finding import Finding
from isthmus.perimeter.perimeter import _lowered
from isthmus.perimeter.pseudonyms import Pseudonyms

TEXT = "abcdefghijklmnopqrstuvwx"


@st.composite
def findings(draw: st.DrawFn) -> list[Finding]:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(TEXT) - 1))
        found.append(Finding("x", start, draw(st.integers(start + 1, len(TEXT)))))
    return found


@given(findings(), findings())
def test_no_letter_of_a_finding_is_left_and_every_other_one_is(gone: list[Finding], kept: list[Finding]) -> None:
    pseudonyms = Pseudonyms(b"k", tenant="t", conversation="c", texts=[TEXT])
    left = _lowered(TEXT, gone, kept, pseudonyms)
    found = {position for finding in (*gone, *kept) for position in range(finding.start, finding.end)}
    small = {letter for letter in left if letter.islower()}
    assert not small & {TEXT[position] for position in found}
    assert small >= {letter for position, letter in enumerate(TEXT) if position not in found}
