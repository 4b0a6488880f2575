from __future__ import annotations

import doctest
import ipaddress
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from isthmus.domain.finding import Finding
from isthmus.perimeter.pseudonyms import PLACEHOLDER, Pseudonyms, Style
from isthmus.perimeter.restore import TextRestorer

KEY = b"a key of tests"
SURROGATE_KINDS = ("email", "phone", "iban", "payment_card", "ip_address", "mac_address", "person")

styles: st.SearchStrategy[Style] = st.sampled_from(("placeholder", "surrogate"))
kinds = st.sampled_from((*SURROGATE_KINDS, "us_ssn", "icd10"))


def pseudonyms(style: Style = "placeholder", *, conversation: str = "c1", texts: Sequence[str] = ()) -> Pseudonyms:
    return Pseudonyms(KEY, tenant="acme", conversation=conversation, style=style, texts=texts)


def restored(text: str, by: Pseudonyms) -> str:
    restorer = TextRestorer(by)
    return restorer.feed(text) + restorer.close()


def found(text: str, **values: str) -> list[Finding]:
    return [
        Finding(kind, match.start(), match.end())
        for kind, value in values.items()
        for match in re.finditer(re.escape(value), text)
    ]


# ------------------------------------------------------------------------------------------------ how they look


def test_a_placeholder_tells_the_type_and_one_value_has_one() -> None:
    text = "Ana Ruiz <ana@example.org> asks Ben Okri; Ana Ruiz waits."
    findings = found(text, person="Ana Ruiz", email="ana@example.org") + found(text, person="Ben Okri")
    by = pseudonyms()
    sent = by.replace(text, findings)
    shape = re.fullmatch(r"(⟨PERSON_\d{4}⟩) <⟨EMAIL_\d{4}⟩> asks (⟨PERSON_\d{4}⟩); (⟨PERSON_\d{4}⟩) waits\.", sent)
    assert shape is not None
    assert shape[1] == shape[3] != shape[2]
    assert set(by.originals.values()) == {"Ana Ruiz", "ana@example.org", "Ben Okri"}


def test_spellings_of_one_value_share_a_code_and_each_comes_back_as_it_was() -> None:
    by = pseudonyms()
    spelled = ["Ana Ruiz", "ANA RUIZ", "Ana  Ruiz"]
    stand_ins = [by.stand_in("person", value) for value in spelled]
    code = stand_ins[0].removeprefix("⟨PERSON_").removesuffix("⟩")
    assert stand_ins == [f"⟨PERSON_{code}{letter}⟩" for letter in ("", "b", "c")]
    assert [by.originals[each] for each in stand_ins] == spelled
    assert by.stand_in("us_ssn", "078-05-1120")[:-1] + "b⟩" == by.stand_in("us_ssn", "078051120")


def test_more_spellings_than_letters_still_have_one_each() -> None:
    by = pseudonyms()
    spelled = [" " * spaces + "x" for spaces in range(700)]
    assert len({by.stand_in("person", value) for value in spelled}) == 700
    assert all(map(PLACEHOLDER.fullmatch, by.originals))


@pytest.mark.parametrize("style", ["placeholder", "surrogate"])
def test_a_thousand_values_of_a_type_have_a_thousand_stand_ins(style: Style) -> None:
    by = pseudonyms(style)
    stand_ins = {by.stand_in("person", f"person number {number}") for number in range(1000)}
    assert len(stand_ins) == 1000
    codes = [shape["code"] for shape in map(PLACEHOLDER.fullmatch, stand_ins) if shape is not None]
    assert len(codes) == len(set(codes))


def test_surrogates_lie_in_ranges_where_nothing_is_real() -> None:
    by = pseudonyms("surrogate")
    assert by.stand_in("email", "ana@acme.test").endswith(("@example.org", "@example.com", "@example.net"))
    assert re.fullmatch(r"\+1 \d{3}-555-01\d\d", by.stand_in("phone", "+49 30 1234567"))
    assert re.fullmatch(r"\+44 \d+ \d+ 0\d{3}", by.stand_in("phone_number", "+44 20 8765 4321"))
    iban = by.stand_in("iban", "DE89 3704 0044 0532 0130 00")
    assert re.fullmatch(r"ZZ\d\d( \d{4}){4} \d\d", iban)
    assert mod_97_10.is_valid(iban.replace(" ", "")[4:] + iban[:4])
    card = by.stand_in("payment_card", "4111-1111-1111-1111")
    assert re.fullmatch(r"4242-42\d\d-\d{4}-\d{4}", card)
    assert luhn.is_valid(card.replace("-", ""))
    assert luhn.is_valid(by.stand_in("credit_card", "378282246310005"))
    assert ipaddress.ip_address(by.stand_in("ip_address", "8.8.8.8")).is_private
    assert ipaddress.ip_address(by.stand_in("ipv6", "2a00:1450::1")) in ipaddress.ip_network("2001:db8::/32")
    assert by.stand_in("mac_address", "3c:22:fb:01:02:03").startswith("00:00:5e:00:53:")
    assert re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", by.stand_in("person_name", "Ana"))
    assert by.stand_in("person", "BEN OKRI").isupper()


def test_a_kind_without_such_a_range_gets_a_placeholder() -> None:
    assert PLACEHOLDER.fullmatch(pseudonyms("surrogate").stand_in("us_ssn", "078-05-1120"))


# ------------------------------------------------------------------------------------------------ stability


def test_the_stand_in_of_a_value_does_not_depend_on_what_came_before_it() -> None:
    whole, cut = pseudonyms(), pseudonyms()
    turns = ["Ana Ruiz is ill", "Ben Okri is well", "Cy Young is away"]
    names = ["Ana Ruiz", "Ben Okri", "Cy Young"]
    sent = [whole.replace(text, found(text, person=name)) for text, name in zip(turns, names, strict=True)]
    assert [
        cut.replace(text, found(text, person=name)) for text, name in zip(turns[1:], names[1:], strict=True)
    ] == sent[1:]


@pytest.mark.parametrize("style", ["placeholder", "surrogate"])
@pytest.mark.parametrize(
    ("key", "tenant", "conversation"),
    [(b"other", "acme", "c1"), (KEY, "acme", "c2"), (KEY, "umbrella", "c1"), (KEY, "acm", "ec1"), (KEY, "", "acmec1")],
)
def test_another_key_tenant_or_conversation_has_other_stand_ins(
    style: Style, key: bytes, tenant: str, conversation: str
) -> None:
    values = ["Ana Ruiz", "Ben Okri", "Cy Young", "Di Song"]
    ours, theirs = pseudonyms(style), Pseudonyms(key, tenant=tenant, conversation=conversation, style=style)
    assert {ours.stand_in("person", value) for value in values} != {
        theirs.stand_in("person", value) for value in values
    }


def test_stand_ins_of_another_conversation_are_not_restored() -> None:
    text = "Ana Ruiz is ill"
    ours, theirs = pseudonyms(), pseudonyms(conversation="c2")
    sent = ours.replace(text, found(text, person="Ana Ruiz"))
    theirs.replace(text, found(text, person="Ana Ruiz"))
    assert restored(sent, theirs) == sent


# ------------------------------------------------------------------------------------------------ laws


@given(styles, kinds, st.text(min_size=1, max_size=30))
@example("placeholder", "us_ssn", "1")
@example("placeholder", "us_ssn", "".join(map(str, range(1000, 10_000))))
@example("surrogate", "person", "Robin Alexis Andrea Lindqvist")
@example("surrogate", "email", "org example net com")
def test_a_stand_in_holds_no_part_of_its_value(style: Style, kind: str, value: str) -> None:
    by = pseudonyms(style)
    stand_in = by.stand_in(kind, value)
    placeholder = PLACEHOLDER.fullmatch(stand_in)
    if placeholder is not None:  # its type is not the value's
        assert placeholder["code"] not in value
        assert value not in placeholder["code"]
    else:
        assert not any(word in stand_in.casefold() for word in re.findall(r"[^\W_]{3,}", value.casefold()))


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Style, list[tuple[str, list[Finding]]]]:
    """Texts that are made, among other things, of what stand-ins for their own values are made of."""
    style = draw(styles)
    values = draw(st.lists(st.sampled_from(("Ana", "Ana Ruiz", "anaRUIZ", "8.8.8.8", "a@b.c", "1")), min_size=1))
    known = pseudonyms(style)
    pieces = ["⟨", "⟩", "PERSON", "_", " ", "\\", '"', "\\u27e8", "1", "😀", "\n", *values]
    for kind in draw(st.lists(kinds, min_size=1, max_size=3)):
        for value in values:
            stand_in = known.stand_in(kind, value)
            cut = draw(st.integers(0, len(stand_in)))
            pieces += stand_in, stand_in[:cut], stand_in[cut:], stand_in + stand_in[:cut], stand_in.upper()
    texts = []
    for _ in range(draw(st.integers(1, 3))):
        text = "".join(draw(st.lists(st.sampled_from(pieces), max_size=8)))
        findings = [
            Finding(draw(kinds), start, end)
            for start, end in draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4))
            if start < end <= len(text)
        ]
        for value in values:
            if draw(st.booleans()):
                findings += found(text, **{draw(kinds): value})
        texts.append((text, findings))
    return style, texts


@given(conversations(), st.booleans())
def test_what_a_model_echoes_comes_back_as_it_was(
    conversation: tuple[Style, list[tuple[str, list[Finding]]]], texts_given: bool
) -> None:
    style, texts = conversation
    by = pseudonyms(style, texts=[text for text, _ in texts] if texts_given else ())
    sent = [by.replace(text, findings) for text, findings in texts]
    assert [restored(each, by) for each in sent] == [text for text, _ in texts]


@given(conversations())
def test_text_that_was_given_and_not_replaced_is_never_restored(
    conversation: tuple[Style, list[tuple[str, list[Finding]]]],
) -> None:
    style, texts = conversation
    aside = [text for text, _ in texts[1:]]
    by = pseudonyms(style, texts=aside)
    by.replace(*texts[0])
    assert [restored(text, by) for text in aside] == aside


def test_a_stand_in_that_a_user_types_is_not_turned_into_the_value() -> None:
    made = pseudonyms().stand_in("person", "Ana Ruiz")
    typed = f"Who is {made}? And Ana Ruiz?"
    first, later = pseudonyms(), pseudonyms()
    assert made not in first.replace(typed, found(typed, person="Ana Ruiz")).split("?")[1]
    assert later.stand_in("person", "Ana Ruiz") == made  # from an earlier text of the same request
    sent = later.replace(typed, found(typed, person="Ana Ruiz"))
    assert sent.count(made) == 1
    assert re.match(r"Who is ⟨TEXT_\d{4}⟩\?", sent)
    assert restored(sent, later) == typed


def test_a_surrogate_that_the_text_before_it_turns_into_another_one_is_not_used() -> None:
    by = pseudonyms("surrogate")
    macs = (by.stand_in("mac_address", f"device {number}") for number in itertools.count())
    assert next(mac for mac in macs if mac.endswith(":00")) == "00:00:5e:00:53:00"
    text = "00:00:5e:00:53:" + "another device"
    sent = by.replace(text, found(text, mac_address="another device"))
    assert re.fullmatch(r"00:00:5e:00:53:⟨MAC_ADDRESS_\d{4}⟩", sent)
    assert restored(sent, by) == text


# ------------------------------------------------------------------------------------------------ refusals


def test_a_finding_that_is_not_the_thing_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="not exact"):
        pseudonyms().replace("some text", [Finding("health", 0, 9, exact=False)])


def test_an_empty_key_and_an_empty_value_are_refused() -> None:
    with pytest.raises(ValueError, match="key"):
        Pseudonyms(b"", tenant="acme", conversation="c1")
    with pytest.raises(ValueError, match="empty value"):
        pseudonyms().stand_in("person", "")


def test_the_examples_of_its_page_run() -> None:
    page = Path(__file__).parents[3] / "docs/explanation/pseudonyms.md"
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert result.attempted > 0
    assert result.failed == 0
