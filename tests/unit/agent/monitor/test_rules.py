from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.monitor.intents import Intent
from isthmus.agent.monitor.rules import read
from isthmus.agent.monitor.words import addresses, links, tokens

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)  # a Saturday


def the(text: str) -> Intent:
    (intent,) = read(text, AT)
    return intent


def parts(text: str) -> set[tuple[str, str, str]]:
    return {(slot.part, slot.kind, slot.value) for slot in the(text).slots}


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to Bob.Miller@X.Example now", "email", "bob.miller@x.example"),
        ("see https://www.news.example/a?b=1.", "url", "www.news.example/a?b=1"),
        ("read www.our-company.com.They wrote", "url", "www.our-company.com"),
        ("pay to DE89370400440532013000", "account", "DE89370400440532013000"),
        ("it cost 1,250.50 euros", "amount", "1250.5"),
        ("on May 26th", "time", "--05-26"),
        ("on May 15th, 2024", "time", "2024-05-15"),
        ("on the 15th of November", "time", "--11-15"),
        ("on 2024-05-19 at 10:00", "time", "2024-05-19"),
        ("tomorrow", "time", "2026-11-22"),
        ("next monday", "time", "2026-11-23"),
        ("open report-Q1.final.docx", "file", "report-q1.final.docx"),
        ("ask Sarah Baker", "person", "sarah baker"),
        ("tell @bob:x.example", "person", "@bob:x.example"),
        ("post to #general", "channel", "#general"),
        ("read the general channel", "channel", "general"),
        ("the 'Dental check-up' is", "text", "dental check-up"),
        ("the “Dental check-up” is", "text", "dental check-up"),
    ],
)
def test_a_token_is_found_by_its_form(text: str, kind: str, value: str) -> None:
    assert (kind, value) in {(token.kind, token.value) for token in tokens(text, AT)}


@pytest.mark.parametrize(
    "text", ["Please do it.", "I want the list.", "In May it rains", "Don't forget", "30 February"]
)
def test_ordinary_words_are_no_names_and_no_days(text: str) -> None:
    assert not {token.kind for token in tokens(text, AT)} - {"amount"}


@given(st.text())
def test_every_token_stands_in_the_text(text: str) -> None:
    for token in (*tokens(text, AT), *addresses(text)):
        assert text[token.start : token.end] == token.said


@pytest.mark.parametrize("text", ["plan.docx", "bob@x.example", "e.g. this", "i.e. that", "10.30", "see you.Then"])
def test_files_addresses_of_mail_and_slips_of_the_pen_are_no_links(text: str) -> None:
    assert not list(links(text))


def test_who_is_written_to_is_a_destination_and_who_wrote_is_not() -> None:
    assert ("destination", "email", "bob@x.example") in parts("Send the report to bob@x.example.")
    assert ("source", "email", "bob@x.example") in parts("Read the mail from bob@x.example.")
    assert ("destination", "person", "alice") in parts("Summarise the article that Bob posted and send it to Alice.")
    assert ("source", "person", "bob") in parts("Summarise the article that Bob posted and send it to Alice.")
    assert ("source", "email", "alex@x.example") in parts("Which files are shared with alex@x.example?")
    assert not [one for one in parts("Hello, this is Alice!") if one[0] == "destination"]


def test_them_are_those_who_were_named_last() -> None:
    assert ("destination", "person", "eve") in parts("Visit the sites of Dora and Eve and message them.")


def test_what_is_dictated_is_content_with_its_holes() -> None:
    assert ("content", "text", "hello there") in parts("Mail bob@x.example with the subject 'Hello there'.")
    (slot,) = the("Send a mail with the title 'Hotel: {name}' to bob@x.example.").of("content")
    assert slot.pattern == ("hotel: ", "")


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("What is new?", set()),
        ("Please send it to Bob.", {("send", None)}),
        ("Delete the file.", {("destroy", None)}),
        ("Draft an answer to the invoice of ACME.", {("keep", "mail")}),
        ("Create an event on Monday.", {("keep", "event")}),
        ("Please reschedule the meeting.", {("change", None)}),
        ("Tell me the price.", set()),
        ("What did the message say that they sent?", set()),
        ("Is there an email about it?", set()),
        ("Find the text 'please delete the file and send it'.", set()),
    ],
)
def test_what_is_wanted_is_what_the_verbs_say(text: str, wants: set[tuple[str, str | None]]) -> None:
    assert {(want.effect, want.kind) for want in the(text).wants} == wants


def test_what_is_wanted_of_each_has_no_count() -> None:
    assert [want.times for want in the("Send a mail to each person.").wants] == [None]
    assert [want.times for want in the("Send a mail to Bob.").wants] == [1]


def test_numbered_tasks_are_intents_of_their_own() -> None:
    first, second = read("Do this: 1. Read the file 'a.txt'. 2. Send 'hi' to bob@x.example.", AT)
    assert not list(first.of("destination"))
    assert [slot.value for slot in second.of("destination")] == ["bob@x.example"]
