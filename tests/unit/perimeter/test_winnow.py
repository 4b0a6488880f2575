import doctest
import json
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isthmus.perimeter import winnow
from isthmus.perimeter.winnow import GUARANTEE, NOISE, Winnowed, fingerprints, normalise

KEY = bytes(range(32))
RECORD = (
    "Maria Gonzalez-Ruiz, born 4 March 1961, was admitted on Tuesday night with chest pain and shortness of breath. "
    "Troponin was raised; she is on apixaban 5 mg twice daily since her atrial fibrillation was found in 2019."
)

normalise("loads numpy, which takes longer than hypothesis lets an example take")

anything = st.text(max_size=300)
words = st.lists(st.text(alphabet="abcdefghijklmnopqrstuvwxyzéü0123456789", min_size=1, max_size=9), min_size=1)
prose = words.map(" ".join)
# What is no part of an escape, an entity or a tag, so that nothing hangs on what stands beside it.
plain = st.text(st.characters(exclude_characters="<&\\%"), max_size=300)
# Of any characters, mostly of such as count.
counting = st.characters(categories=["L", "N"])
stretches = st.lists(st.one_of(counting, counting, counting, st.characters()), min_size=GUARANTEE, max_size=300).map(
    "".join
)


def hashes(text: str, key: bytes = KEY) -> set[int]:
    return {mark.hash for mark in fingerprints(text, key)}


# --------------------------------------------------------------------------------------------------- the guarantee


@given(anything, anything, stretches, anything, anything)
def test_texts_that_share_a_stretch_of_the_guaranteed_length_share_a_fingerprint(
    before: str, after: str, shared: str, other_before: str, other_after: str
) -> None:
    stretch = normalise(shared).text
    one, other = before + shared + after, other_before + shared + other_after
    assume(len(stretch) >= GUARANTEE)
    # What stands beside a stretch may make its edge part of an escape: then it is not shared.
    assume(stretch in normalise(one).text and stretch in normalise(other).text)
    assert hashes(one) & hashes(other)


@given(
    st.text(alphabet="abcdefghijk", max_size=200),
    st.text(alphabet="lmnopqrstuv", max_size=200),
    st.text(alphabet="0123456789", max_size=NOISE - 1),
    st.text(alphabet="abcdefghijk", max_size=200),
    st.text(alphabet="lmnopqrstuv", max_size=200),
)
def test_a_shared_stretch_below_the_noise_length_matches_nothing(
    before: str, other_before: str, shared: str, after: str, other_after: str
) -> None:
    assert not hashes(before + shared + after) & hashes(other_before + shared + other_after)


@given(st.integers(1, 40), st.integers(0, 60), st.data())
def test_the_guarantee_holds_for_every_choice_of_its_lengths(noise: int, more: int, data: st.DataObject) -> None:
    guarantee = noise + more
    shared = data.draw(st.text(alphabet="abc", min_size=guarantee, max_size=guarantee + 5))
    one, other = (data.draw(st.text(alphabet="xyz", max_size=80)) + shared + data.draw(prose) for _ in range(2))
    marks = [{mark.hash for mark in fingerprints(t, KEY, guarantee=guarantee, noise=noise)} for t in (one, other)]
    assert marks[0] & marks[1]


@given(st.text(alphabet="abcdef ", min_size=0, max_size=200))
def test_a_text_of_at_least_the_noise_length_has_a_fingerprint_and_a_shorter_one_has_none(text: str) -> None:
    assert bool(fingerprints(text, KEY)) == (len(normalise(text).units) >= NOISE)


def test_lengths_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="noise length"):
        fingerprints(RECORD, KEY, guarantee=10, noise=20)


@given(plain.filter(lambda text: len(text) > 40))
def test_a_fingerprint_tells_where_its_run_stands(text: str) -> None:
    whole = normalise(text).text
    for mark in fingerprints(text, KEY):
        run = normalise(text[mark.start : mark.end]).text
        # A first or last character that folds to several may be cut.
        assert NOISE <= len(run) <= NOISE + 40
        assert run in whole


def test_fingerprints_of_different_keys_have_nothing_in_common() -> None:
    assert not hashes(RECORD) & hashes(RECORD, b"another key of 32 secret bytes..")


def test_fingerprints_lie_about_as_thick_as_the_theory_says() -> None:
    text = " ".join(str(number * number) for number in range(20_000))
    density = len(fingerprints(text, KEY)) / len(normalise(text).units)
    assert density == pytest.approx(2 / (GUARANTEE - NOISE + 2), rel=0.05)


def test_a_text_looked_at_in_blocks_has_the_fingerprints_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(str(number * number) for number in range(3_000))
    whole = fingerprints(text, KEY)
    monkeypatch.setattr(winnow, "_BLOCK", 100)
    assert fingerprints(text, KEY) == whole


@given(plain, st.integers(0, 40))
def test_runs_beside_a_fingerprint_are_those_of_the_text_cut_there(text: str, distance: int) -> None:
    units = normalise(text).text
    every = {mark.hash: units.find(units[i : i + NOISE]) for i in range(len(units) - NOISE + 1)
             for mark in fingerprints(units[i : i + NOISE], KEY)}  # fmt: skip
    near = Winnowed(text, KEY).beside(distance)
    assert near.keys() == hashes(text)
    assert set().union(*near.values()) <= every.keys()


def test_around_a_fingerprint_are_all_runs_that_might_be_chosen_in_its_place() -> None:
    text = "".join(f"{number * number}" for number in range(40))
    runs = {mark.hash for i in range(len(text) - NOISE + 1) for mark in fingerprints(text[i : i + NOISE], KEY)}
    winnowed = Winnowed(text, KEY)
    assert winnowed.around(hashes(text)) == runs
    assert winnowed.around(hashes(text), avoid=hashes(text)) == set()
    assert winnowed.around(set()) == set()


# ---------------------------------------------------------------------------------------------- normal characters

ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0f\u034f\u3164"

disguises: dict[str, Callable[[str], str]] = {
    "quoting": lambda text: "> " + text.replace(" ", " \n>> "),
    "re-wrapping": lambda text: text.replace(" ", "\r\n"),
    "hyphenation": lambda text: re.sub(r"(\w)(\w)", "\\1-\n\\2", text),
    "capitals": str.upper,
    "punctuation": lambda text: text.replace(" ", ", ").replace("-", " \u2013 ") + "?!",
    "Markdown": lambda text: "## " + text.replace(" ", "** *") + "`",
    "HTML": lambda text: "<p class='x'>" + text.replace(" ", "</b> <br/><span style='color: red'>") + "</p>",
    "entities": lambda text: text.replace(" ", "&nbsp;").replace("a", "&#97;").replace("é", "&eacute;"),
    "a JSON string": lambda text: json.dumps(text.replace(" ", "\n\t")),
    "JSON in JSON": lambda text: json.dumps({"": json.dumps(json.dumps(text.replace(" ", "\r\n")))}),
    "percent-encoding": urllib.parse.quote,
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "mathematical letters": lambda text: "".join(chr(ord(c) - 97 + 0x1D41A) if "a" <= c <= "z" else c for c in text),
    "nothing seen": lambda text: text.replace("a", f"a{ZERO_WIDTH}"),
    "accents apart": lambda text: text.replace("é", "e\u0301").replace("ü", "u\u0308"),
    "accents left out": lambda text: text.replace("é", "e").replace("ü", "u"),
}


@pytest.mark.parametrize("name", disguises)
@given(text=prose)
def test_a_disguise_does_not_change_what_a_text_says(name: str, text: str) -> None:
    assert normalise(disguises[name](text)).text == normalise(text).text


@pytest.mark.parametrize("name", disguises)
def test_a_record_is_recognised_in_disguise_within_another_text(name: str) -> None:
    shown = f"Dear colleagues, please look at this:\n{disguises[name](RECORD)}\nWhat do you make of it?"
    assert hashes(shown) & hashes(RECORD)


def test_paraphrase_is_not_recognised() -> None:
    told_anew = (
        "A 60-year-old woman named Gonzalez came in during the night because her chest hurt and she could not breathe "
        "well. Her heart markers were up. She has taken a blood thinner since an irregular heartbeat was diagnosed."
    )
    assert not hashes(told_anew) & hashes(RECORD)


@given(plain, plain)
def test_normal_characters_of_two_texts_are_those_of_each(one: str, other: str) -> None:
    assert normalise(one + other).text == normalise(one).text + normalise(other).text


@given(anything)
def test_places_of_normal_characters_go_forward_within_the_text(text: str) -> None:
    units, places = normalise(text)
    assert len(units) == len(places)
    assert all(0 <= place < len(text) for place in places.tolist())
    assert places.tolist() == sorted(places.tolist())


@given(anything)
def test_normalising_again_changes_nothing_but_the_count_of_wide_characters(text: str) -> None:
    once = normalise(text).text
    assert set(normalise(once).text) == set(once)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Straße, ﬁn", "strassefin"),
        ("病院", "病病院院"),
        ("カ ﾞガ", "カカカカ"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("क़िताब", "किताब"),
        ("กำลัง", "กําลัง"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("x² ½ ①", "x2121"),
        ("\\ud83d\\ude00 \\u00E9 \\\\u00e9 \\n", "ee"),
        ("\\ud835\\udc1a\ud835", "a"),
        ("100% sure of 5%", "100sureof5"),
        ("a < b > c <not a tag> &nosuch;", "abcnotatagnosuch"),
        ("", ""),
    ],
)
def test_every_script_has_its_normal_characters(text: str, normal: str) -> None:
    assert normalise(text).text == normal


def test_a_tag_is_let_go_only_while_nothing_of_the_guaranteed_length_can_hide_in_it() -> None:
    assert hashes(f"<b {RECORD}>") & hashes(RECORD)
    assert normalise(f"<b {'x' * 57}>").text != ""


@pytest.mark.parametrize("piece", ["\\", "<", "&", "%", "<b ", "&#", "\\u", "%e", "\\ud83d"])
def test_what_looks_like_an_escape_takes_no_longer_than_other_text(piece: str) -> None:
    began = time.process_time()
    fingerprints(piece * (300_000 // len(piece)), KEY)
    assert time.process_time() - began < 2.0


def test_numpy_is_not_loaded_before_there_is_something_to_look_at() -> None:
    code = "import sys, isthmus.perimeter.winnow, isthmus.perimeter.lineage; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_examples_of_the_page_are_true() -> None:
    page = Path(__file__).parents[3] / "docs/explanation/lineage.md"
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert result.attempted >= 5
    assert result.failed == 0
