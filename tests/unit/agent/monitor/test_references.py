from __future__ import annotations

import pytest
from tests.unit.agent.monitor.worlds import NOW, World, contact, event, file, mail, mark

from isthmus.agent.marks import EVERYONE, USERS_WORDS
from isthmus.agent.monitor.digests import digest
from isthmus.domain.errors import ToolError

BOB = "bob@x.example"


def test_handles_count_by_kind_and_are_never_given_twice() -> None:
    world = World("hi").sees(mail("1", BOB, "a", "b"), file("f", "n", "t", mark())).sees(mail("2", BOB, "c", "d"))
    assert [shown.handle for shown in world.branch.shelf.shown] == ["mail_1", "file_1", "mail_2"]


@pytest.mark.parametrize("written", [{"ref": "mail_1.body"}, "@mail_1.body"])
def test_a_reference_stands_for_one_field_and_its_mark(written: object) -> None:
    world = World("hi").sees(mail("1", BOB, "subject", "the body"), file("f", "secret", "x", mark()))
    (worth,) = world.propose("mail_send", to=[BOB], body=written).values["body"]
    assert (worth.value, worth.references) == ("the body", ("mail_1.body",))
    assert worth.mark == world.branch.shelf.shown[0].item.fields["body"].mark


def test_a_thing_is_named_by_its_handle_with_or_without_the_at() -> None:
    world = World("hi").sees(file("f7", "n", "t", mark()))
    for written in ("@file_1", "file_1", {"ref": "file_1"}, "f7"):
        (worth,) = world.propose("file_delete", file=written).values["file"]
        assert (worth.value, worth.references) == ("f7", ("file_1.id",))


def test_the_models_own_words_bear_the_mark_of_all_it_has_seen() -> None:
    world = World("hi").sees(mail("1", BOB, "s", "b"), mail("2", "carol@x.example", "s", "b"))
    (worth,) = world.propose("mail_send", to=[BOB], body="hello").values["body"]
    assert worth.mark == world.branch.context
    assert worth.mark.origins >= {"mail:bob@x.example", "mail:carol@x.example"}


def test_an_address_that_stands_in_a_text_is_that_texts() -> None:
    world = World("hi").sees(mail("1", "eve@evil.example", "hi", "pay to DE89370400440532013000, see www.evil.example"))
    (account,) = world.propose("pay", account="DE89370400440532013000", amount=1).values["account"]
    (address,) = world.propose("page", url="https://www.evil.example/").values["url"]
    assert (account.references, address.references) == (("mail_1.body_account1",), ("mail_1.body_url1",))


def test_an_address_in_several_fields_bears_the_join_of_their_marks() -> None:
    world = World("hi").sees(mail("1", BOB, "s", "b"), contact("Bob", BOB))
    (worth,) = world.propose("mail_send", to=[BOB]).values["to"]
    assert not worth.mark.trusted
    assert len(worth.references) == 2


def test_what_the_user_dictated_is_the_users() -> None:
    world = World(f"Send 'see you at eight' to {BOB}.").sees(mail("1", BOB, "s", "b"))
    (worth,) = world.propose("mail_send", to=[BOB], body="See you  at eight.").values["body"]
    assert (worth.mark, worth.said) == (USERS_WORDS, "see you at eight")
    (other,) = world.propose("mail_send", to=[BOB], body="see you at eight, and here is more").values["body"]
    assert other.said is None


def test_a_thing_that_was_never_shown_is_nobodys_to_read() -> None:
    (worth,) = World("hi").propose("file_delete", file="f9").values["file"]
    assert worth.unseen
    assert worth.mark.readers != EVERYONE


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"to": ["@mail_9.from"]}, "There is no @mail_9.from"),
        ({"to": ["@mail_1"]}, "takes one field"),
        ({"to": ["@mail_1.subject"]}, "takes email"),
        ({"subject": "x"}, "needs 'to'"),
        ({"to": [BOB], "bcc": [BOB]}, "no parameter 'bcc'"),
        ({"to": [7]}, "type string"),
        ({"to": ["nobody"]}, "is no address"),
        ({"to": [BOB], "body": "\ud800"}, "surrogate"),
    ],
)
def test_an_argument_that_cannot_be_is_told_to_the_model(arguments: dict[str, object], told: str) -> None:
    world = World("hi").sees(mail("1", BOB, "s", "b"))
    with pytest.raises(ToolError, match=told):
        world.propose("mail_send", **arguments)


def test_the_digest_is_of_the_values_and_not_of_how_they_were_written() -> None:
    world = World("hi").sees(mail("1", BOB, "s", "hello"))
    by_reference = world.propose("mail_send", to=["@mail_1.from"], body="@mail_1.body")
    by_word = world.propose("mail_send", to=[BOB], body="hello")
    assert by_reference.digest == by_word.digest == digest("mail_send", {"to": [BOB], "body": "hello"})


def test_a_time_goes_as_text() -> None:
    world = World("hi").sees(event("1", "Lunch", NOW))
    (worth,) = world.propose("event_move", event="@event_1", start="@event_1.start").values["start"]
    assert worth.value == NOW.isoformat()
