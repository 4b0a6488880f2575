"""What the bytes of a mail mean: anything may come, nothing raises, and nothing takes long."""

from __future__ import annotations

import string
import time
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.connectors.mail.addresses import Address, count, normal, parsed
from isthmus.connectors.mail.authenticity import verified
from isthmus.connectors.mail.bodies import content, shown, text
from isthmus.connectors.mail.headers import Headers
from isthmus.connectors.mail.html import html_text
from isthmus.connectors.mail.identity import AttachmentId, MailId
from isthmus.connectors.mail.letter import Letter
from isthmus.connectors.mail.marking import UNVERIFIED, Marking
from isthmus.connectors.mail.responses import fetched, nodes
from isthmus.connectors.mail.specs import specs
from isthmus.connectors.mail.structure import Part, parts
from isthmus.connectors.mail.words import decoded

_ENCODED = st.builds(
    lambda charset, how, words: f"=?{charset}?{how}?{words}?=",
    st.sampled_from(["utf-8", "iso-8859-1", "x", "punycode", "utf-16", "hex"]),
    st.sampled_from("bBqQ"),
    st.text("=_AZaz09+/ ?", max_size=20),
)
_HEADER_TEXT = st.lists(st.one_of(st.text(max_size=20), _ENCODED, st.sampled_from(list('",;:<>()@\\ .')))).map("".join)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("alice@example.com", [("", "alice@example.com")]),
        ("Alice <ALICE@Example.COM>", [("Alice", "alice@example.com")]),
        ('"Doe, Jane" <jane@x.org>, bob@x.org (Bob)', [("Doe, Jane", "jane@x.org"), ("", "bob@x.org")]),
        ("team: a@x.org, b@x.org; c@x.org", [("", "a@x.org"), ("", "b@x.org"), ("", "c@x.org")]),
        ("=?utf-8?q?M=C3=BCller=2C_J?= <j@x.org>", [("Müller, J", "j@x.org")]),
        ("=?utf-8?q?a=40x=2Eorg=2C?= <b@x.org>", [("a@x.org,", "b@x.org")]),
        ("undisclosed-recipients:;", []),
        ("alice@example.com)bob@attacker.example", []),
        ("<a@x.org> <b@x.org>", []),
        ("info@münchen.example", [("", "info@xn--mnchen-3ya.example")]),
        ("info@straße.example", []),
        ("a@x.org, a@X.ORG", [("", "a@x.org")]),
        ("a@x..org, @x.org, a@, .a@x.org", []),
    ],
)
def test_addresses_are_read_strictly(header: str, found: list[tuple[str, str]]) -> None:
    assert list(parsed(header)) == [Address(*one) for one in found]


@given(_HEADER_TEXT)
def test_any_header_has_addresses_in_normal_form_or_none(header: str) -> None:
    for one in parsed(header):
        assert normal(one.address) == one.address
        assert "\n" not in one.name
    assert len(parsed(header)) <= count(header)


@given(st.binary())
def test_any_bytes_are_headers(data: bytes) -> None:
    headers = Headers.of(data)
    marking = Marking(labels=frozenset(), own=frozenset({"me@x.org"}), authserv="x.org")
    marks = marking.of(headers, in_own_folder=False)
    assert not marks.written.trusted
    headers.addresses("from", "to")
    headers.text("subject")


@given(_HEADER_TEXT)
def test_any_text_is_decoded_to_one_line_that_can_be_told(header: str) -> None:
    found = decoded(header)
    found.encode("utf-8", "surrogatepass")
    assert not any(ord(sign) < 32 for sign in found)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("=?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("=?iso-8859-1?q?Gr=FC=DFe?= an alle", "Grüße an alle"),
        ("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?q?a?=\t=?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?no", "=?utf-8?q?no"),
        ("=?utf-8?b?R3L?=", "Gr"),
    ],
)
def test_encoded_words_are_decoded(header: str, said: str) -> None:
    assert decoded(header) == said


@given(st.lists(st.one_of(st.binary(), st.tuples(st.binary(), st.binary()))))
def test_any_answer_of_a_server_is_read(pieces: list[object]) -> None:
    nodes(pieces)
    for message in fetched(pieces):
        parts(message.get("BODYSTRUCTURE"))


def test_answers_hold_quoted_texts_literals_and_lists() -> None:
    pieces = [(b"1 (UID 5 BODY[HEADER.FIELDS (FROM TO)] {3}", b"a: "), rb' FLAGS (\Seen x) X "a\"b" Y NIL)']

    (message,) = fetched(pieces)

    assert message == {
        "UID": b"5",
        "BODY[HEADER.FIELDS (FROM TO)]": b"a: ",
        "FLAGS": [rb"\Seen", b"x"],
        "X": b'a"b',
        "Y": None,
    }


_ATOM = st.sampled_from([b"TEXT", b"PLAIN", b"MESSAGE", b"RFC822", b"7BIT", b"10", b"ALTERNATIVE", b"NAME*0*", None])
_TREE = st.recursive(st.one_of(_ATOM, st.binary(max_size=5)), lambda inner: st.lists(inner, max_size=10), max_leaves=60)


@settings(deadline=None)
@given(_TREE)
def test_any_structure_has_parts(tree: object) -> None:
    for part in parts(tree):  # type: ignore[arg-type]  # what the strategy makes is of this shape
        assert part.section
        AttachmentId.of(f"INBOX/1.a#{part.section}")


def test_parts_are_named_as_the_server_names_them() -> None:
    line = (
        b'((("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 4 1 NIL NIL NIL NIL)'
        b'("TEXT" "HTML" NIL NIL NIL "BASE64" 9 1 NIL NIL NIL NIL) "ALTERNATIVE" ("BOUNDARY" "x") NIL NIL NIL)'
        b'("APPLICATION" "PDF" NIL NIL NIL "BASE64" 400 NIL'
        b' ("ATTACHMENT" ("FILENAME*0*" "utf-8\'\'M%C3%BC" "FILENAME*1" "ller.pdf")) NIL NIL)'
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 900 ("d" "s" NIL NIL NIL NIL NIL NIL NIL NIL)'
        b' ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1 NIL NIL NIL NIL) 10 NIL ("ATTACHMENT" NIL) NIL NIL)'
        b' "MIXED" ("BOUNDARY" "y") NIL NIL NIL)'
    )

    found = parts(nodes([line])[0])

    assert [(part.section, part.media_type, part.name, part.attached) for part in found] == [
        ("1.1", "text/plain", "", False),
        ("1.2", "text/html", "", False),
        ("2", "application/pdf", "Müller.pdf", True),
        ("3", "message/rfc822", "", True),
    ]
    assert [part.section for part in found[2].inner] == []
    assert [part.section for part in found[3].inner] == ["3.1"]
    assert found[0].alternatives == found[1].alternatives != ""


@given(
    st.binary(),
    st.sampled_from(["base64", "quoted-printable", "7bit", "x"]),
    st.sampled_from([None, "utf-8", "utf-16", "iso-2022-jp", "nothing", "idna"]),
    st.sampled_from(["text/plain", "text/html"]),
)
def test_any_bytes_are_the_text_of_a_part(raw: bytes, encoding: str, charset: str | None, media_type: str) -> None:
    part = Part(section="1", media_type=media_type, charset=charset, encoding=encoding)
    content(part, raw)
    text(part, raw).encode()


def test_of_alternatives_the_plain_one_is_shown_unless_it_is_empty() -> None:
    plain = Part(section="1.1", media_type="text/plain", alternatives="1")
    rich = Part(section="1.2", media_type="text/html", alternatives="1")
    after = Part(section="2", media_type="text/plain")

    assert shown([(plain, "a"), (rich, "b"), (after, "c")]) == "a\n\nc"
    assert shown([(plain, " \n"), (rich, "b"), (after, "c")]) == "b\n\nc"


@given(st.text("<>/=\"'!-? abpdivstyle&#;", max_size=200))
def test_any_text_is_a_page(page: str) -> None:
    html_text(page)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<p>a<p>b", "a\n\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<ul><li>x</li><li>y</li></ul>", "- x\n- y"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a  b\nc"),
        ("<blockquote>q<blockquote>r</blockquote></blockquote>s", "> q\n\n> > r\n\ns"),
        (
            "<a href='https://x.org/'>x</a> <a href='https://x.org'>https://x.org</a>",
            "x <https://x.org/> https://x.org",
        ),
        ("<a href='javascript:alert(1)'>x</a>", "x"),
        ("<script>alert(1)</script >a<style>b</style>c<!-- d -->e", "ace"),
        ("<div style='font-size: 0px'>x<div>y</div></div>z", "z"),
        ("<b>a</b> <i>b</i>\n c", "a b c"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("1 < 2 &amp; 3 &gt; 2", "1 < 2 & 3 > 2"),
        ("a<!--", "a"),
        ("<img src='http://x/p.gif' alt='A'>", "[A]"),
    ],
)
def test_pages_are_read_as_people_see_them(page: str, said: str) -> None:
    assert html_text(page) == said


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<!", "</", "<!--", "<![", "&#", '<a href="x">l', '<p style="', "<title>", "<blockquote>", "<? ", "<x a='"],
)
def test_no_page_takes_long(piece: str) -> None:
    begun = time.process_time()

    html_text(piece * (200_000 // len(piece)))

    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "data", [b"a:" + b"\n b" * 60_000, b"from: " + b"(" * 200_000, b"from: " + b"<a@x.org>," * 20_000, b"=?" * 100_000]
)
def test_no_header_takes_long(data: bytes) -> None:
    begun = time.process_time()

    headers = Headers.of(data)
    headers.addresses("from")
    headers.text("a")
    verified(headers, "a@x.org", "x.org")

    assert time.process_time() - begun < 2


def _signed(finding: str) -> bool:
    return verified(Headers((("authentication-results", finding),)), "alice@mail.example.com", "mx.home")


@pytest.mark.parametrize(
    ("finding", "proven"),
    [
        ("mx.home; dmarc=pass header.from=mail.example.com", True),
        ("mx.home 1; spf=fail; dkim=pass (good) header.d=example.com header.s=x", True),
        ("MX.HOME; spf=pass smtp.mailfrom=bounce@mail.example.com", True),
        ("mx.home; dkim=pass header.i=@example.com", True),
        ("mx.home; dkim=pass header.d=com", False),
        ("mx.home; dkim=pass header.d=notexample.com", False),
        ("mx.home; dkim=pass header.d=a.mail.example.com", False),
        ("mx.home; spf=pass smtp.mailfrom=bounce@example.com", False),
        ("mx.home; spf=pass smtp.helo=mail.example.com", False),
        ("mx.home; arc=pass header.d=mail.example.com", False),
        ("mx.home; dkim=none", False),
        ("mx.home", False),
        ("", False),
    ],
)
def test_only_what_proves_the_domain_in_from_is_proof(finding: str, proven: bool) -> None:
    assert _signed(finding) is proven


@given(st.text(string.printable))
def test_nothing_that_another_server_says_is_proof(finding: str) -> None:
    assert not _signed(f"mx.elsewhere; {finding}")


@given(_HEADER_TEXT, _HEADER_TEXT)
def test_no_sender_makes_itself_trusted(sender: str, results: str) -> None:
    headers = Headers((("from", sender), ("authentication-results", results), ("received", "from x")))
    marking = Marking(labels=frozenset(), own=frozenset({"me@x.org"}), authserv=None)

    assert marking.of(headers, in_own_folder=True).written.origins == {UNVERIFIED}


@given(st.text(min_size=1, max_size=20).filter(str.isprintable), st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_names_of_mails_are_read_as_they_are_written(folder: str, uid: int, validity: int) -> None:
    name = MailId(folder, uid, validity)
    assert MailId.of(str(name)) == name
    attachment = AttachmentId(name, "1.2")
    assert AttachmentId.of(str(attachment)) == attachment


_WRITTEN = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=300)


@settings(max_examples=60, deadline=None)
@given(
    _WRITTEN, st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0"), max_size=500), _WRITTEN
)
def test_any_letter_is_made_and_read_again(subject: str, body: str, name: str) -> None:
    letter = Letter(
        message_id="<isthmus.1@x.org>",
        sender="me@x.org",
        sender_name=name,
        at=datetime.now(UTC),
        to=("a@x.org",),
        bcc=("b@x.org",),
        subject=subject,
        body=body,
    )

    sent = letter.sent()

    message = message_from_bytes(sent, policy=default)
    assert message["to"] == "a@x.org"
    assert message["bcc"] is None
    assert message["message-id"] == "<isthmus.1@x.org>"
    headers = Headers.of(sent.partition(b"\r\n\r\n")[0])
    assert headers.text("subject").split() == subject.split()
    assert [one.address for one in headers.addresses("from")] == ["me@x.org"]
    assert all(len(line) <= 998 for line in sent.split(b"\r\n"))


def test_what_a_model_is_told_of_the_tools_is_short() -> None:
    every = specs(can_send=True, can_attach_files=True, can_save=True)
    assert len(every) == 10
    for spec in every:
        assert len(spec.summary) <= 60
        assert all(len(parameter.summary) <= 40 for parameter in spec.parameters)
