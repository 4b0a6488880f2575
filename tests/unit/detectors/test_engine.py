import base64
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.detectors.engine import Rules
from isthmus.detectors.registry import RULES, detectors_for, kinds
from isthmus.detectors.rule import Rule, Words, cued, pattern
from isthmus.domain.errors import Overloaded
from isthmus.domain.finding import Finding
from isthmus.domain.ports import Detector

INVISIBLE = "\u200b\u200d\u2060\ufeff\u00ad"
SAMPLES = {
    "email": "jo.doe@example.org",
    "iban": "DE89370400440532013000",
    "card": "4111111111111111",
    "us_ssn": "536-22-8726",
    "api_key": "AKIAIOSFODNN7EXAMPLE",
}


@cache
def some() -> Detector:
    return detectors_for(SAMPLES)[0]


@cache
def every() -> Detector:
    return detectors_for(kind for kind, name in kinds().items() if name == RULES)[0]


def found(text: str) -> set[tuple[str, str]]:
    return {(each.kind, text[each.start : each.end]) for each in some().find([text])[0]}


def test_texts_are_answered_in_their_order() -> None:
    answers = some().find(["nothing", "jo@example.org", "", "4111 1111 1111 1111"])
    assert [[each.kind for each in answer] for answer in answers] == [[], ["email"], [], ["card"]]


def test_only_kinds_that_were_asked_for_are_given() -> None:
    assert some().kinds == frozenset(SAMPLES)
    assert found("call +49 30 901820") == set()


def test_a_finding_in_an_encoded_stretch_is_the_whole_stretch_and_exact() -> None:
    digits = base64.b64encode(b"mail jo@example.org").decode()
    text = f"see {digits}"
    assert some().find([text])[0] == [Finding("email", 4, len(text), True)]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_wrapping_several_times_does_not_hide(depth: int) -> None:
    data = "the mail is jo@example.org"
    for _ in range(depth):
        data = base64.b64encode(data.encode()).decode()
    assert found(data) == {("email", data)}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: text,
        "\u200b".join,
        lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
        " ".join,
        lambda text: "".join(f"%{ord(char):02X}" for char in text),
        lambda text: "".join(f"&#{ord(char)};" for char in text),
        lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
        lambda text: "".join(f"={ord(char):02X}" for char in text),
        lambda text: text.encode().hex(),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
        lambda text: "".join(char + "\u0301" for char in text),
    ],
    ids=["plain", "zero-width", "full-width", "spaced", "percent", "html", "json", "quoted-printable", "hex", "base64",
         "base64url", "combining"],
)  # fmt: skip
def test_no_disguise_hides(kind: str, disguise: object) -> None:
    assert callable(disguise)
    hidden = disguise(SAMPLES[kind])
    assert kind in {each.kind for each in some().find([f"it is {hidden} here"])[0]}


def test_json_in_json_is_read() -> None:
    text = r'{"arguments": "{\"to\": \"jo@example.org\", \"body\": \"key:\\nAKIAIOSFODNN7EXAMPLE\"}"}'
    assert found(text) == {("email", "jo@example.org"), ("api_key", "AKIAIOSFODNN7EXAMPLE")}


def test_a_lone_surrogate_is_no_obstacle() -> None:
    assert found("\ud800 é jo@example.org") == {("email", "jo@example.org")}


@given(st.text(max_size=80), st.sampled_from(sorted(SAMPLES)), st.text(max_size=80))
def test_findings_lie_in_the_text(before: str, kind: str, after: str) -> None:
    text = f"{before} {SAMPLES[kind]} {after}"
    for each in some().find([text])[0]:
        assert 0 <= each.start < each.end <= len(text)


@given(st.sampled_from(sorted(SAMPLES)), st.lists(st.tuples(st.integers(1, 10), st.sampled_from(INVISIBLE))))
def test_invisible_characters_never_lose_a_finding(kind: str, inserted: list[tuple[int, str]]) -> None:
    hidden = SAMPLES[kind]
    for place, char in inserted:
        hidden = hidden[:place] + char + hidden[place:]
    assert (kind, hidden) in found(f"this: {hidden} end")


def test_threads_do_not_share_their_scratch() -> None:
    texts = [f"mail jo{number}@example.org and {'x ' * number}" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(found, texts * 5))
    assert answers == [{("email", f"jo{number}@example.org")} for number in range(200)] * 5


@pytest.mark.parametrize(
    "unit",
    [
        "a@",
        "1",
        "1 ",
        "12 34 ",
        "A" * 40 + "/",
        "%41",
        "\\u0041",
        "password is ",
        "Mr. ",
        "é\u0301",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_a_long_text_of_anything_takes_time_in_proportion(unit: str) -> None:
    text = (unit * (200_000 // len(unit) + 1))[:200_000]
    every().find(["warm up"])
    began = time.process_time()
    every().find([text])
    assert time.process_time() - began < 5


def test_a_text_that_is_mostly_encoding_is_refused_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.detectors.engine._GROWTH", 0)
    monkeypatch.setattr("isthmus.detectors.engine._ROOM", 10)
    with pytest.raises(Overloaded):
        some().find(["longer than ten characters"])


def test_a_match_refused_does_not_hide_the_one_that_begins_in_it() -> None:
    rule = Rule(
        kind="pair",
        triggers=(r"\d \d",),
        pattern=pattern(r"\d \d"),
        accept=lambda m: m.span() if m[0] == "2 3" else None,
    )
    assert Rules([rule]).find(["1 2 3"])[0] == [Finding("pair", 2, 5)]


def test_a_cue_in_another_script_is_a_word_of_its_own() -> None:
    rules = Rules([cued("number", (r"тел",), r"\d+")])
    assert rules.find(["тел 12", "хотел 12"]) == [[Finding("number", 4, 6)], []]


@pytest.mark.parametrize(
    ("text", "words"),
    [("gout", ["gout"]), ("ragout", []), ("Diabetes!", ["Diabetes"]), ("prediabetes", []), ("患糖尿病的", ["糖尿病"])],
)
def test_a_word_stands_alone_and_may_be_open_ended(text: str, words: list[str]) -> None:
    rules = Rules([Words(kind="word", words=("gout", "diabet*", "糖尿病"))])
    assert [text[each.start : each.end] for each in rules.find([text])[0]] == words
