# ruff: noqa: RUF001 - disguised letters

import base64
import quopri
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.detectors.normal import SPELLINGS, View, fold, fold_letters, undisguised

TEXT = "Dr. Müller, card 4111"


def plain(text: str, spelling: str) -> list[tuple[str, str]]:
    """Each view without a spelling, and the stretch of the text behind all of it."""
    views = undisguised(fold(text), spelling, 0)
    return [(view.text, text[slice(*view.span(0, len(view.text)))]) for view in views]


@pytest.mark.parametrize(
    ("disguised", "folded"),
    [
        ("ＡＢＣ１２３", "ABC123"),
        ("Ｍüllér", "Muller"),
        ("Mu\u0308ller", "Muller"),
        ("pa\u200bss\u00adwo\u2060rd", "password"),
        ("ѕесrеt", "secret"),
        ("𝐩𝐚𝐬𝐬", "pass"),
        ("conﬁdential", "confidential"),
        ("٤١١١", "4111"),
        ("Łódź", "Lodz"),
        ("1‑2–3", "1-2-3"),
    ],
)
def test_letters_lose_their_disguise(disguised: str, folded: str) -> None:
    assert fold(disguised).text == folded


@pytest.mark.parametrize("text", ["пароль", "κωδικός", "密码", "がん", "비밀번호", "كلمة السر", "जन्म तिथि", "straße"])
def test_words_of_other_scripts_stay_words(text: str) -> None:
    assert fold(text).text == fold_letters(text)
    assert not fold(text).text.isascii() or text.isascii()


def test_plain_ascii_is_not_copied() -> None:
    text = "just a text"
    assert fold(text).text is text


@pytest.mark.parametrize(
    ("disguised", "spelling", "text"),
    [
        ("jo%40example.org", "escapes", "jo@example.org"),
        ("jo&#64;example&period;org", "escapes", "jo@example.org"),
        (r"jo\u0040example.org\nbye", "escapes", "jo@example.org\nbye"),
        (r"C:\new\x41", "escapes", "C:\newA"),
        ("M=C3=BCller 4=\n111", "escapes", "Muller 4111"),
        ("M%C3%BCller", "escapes", "Muller"),
        ("j o @ e x a m p l e", "blanks", "jo@example"),
        ("p-a-s-s-w-o-r-d", "blanks", "password"),
    ],
)
def test_spellings_are_undone_where_they_stand(disguised: str, spelling: str, text: str) -> None:
    assert [view for view, _ in plain(disguised, spelling)] == [text]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.b16encode])
def test_encoded_text_is_read_and_stands_for_its_digits(encode: object) -> None:
    assert callable(encode)
    digits = encode(TEXT.encode()).decode()
    assert (fold_letters(TEXT), digits) in plain(f"see {digits} there", "digits")


def test_lines_of_mail_are_one_text() -> None:
    body = base64.encodebytes(TEXT.encode() * 5).decode().rstrip()
    assert (fold_letters(TEXT * 5), body) in plain(body, "digits")


def test_one_part_of_a_path_may_be_encoded() -> None:
    digits = base64.urlsafe_b64encode(b"card 4111 1111").decode().rstrip("=")
    assert ("card 4111 1111", digits) in plain(f"https://example.org/a/{digits}/b", "digits")


@pytest.mark.parametrize(
    "text", ["internationalization", "d41d8cd98f00b204e9800998ecf8427e", "/usr/lib/python3/dist-packages"]
)
def test_what_only_looks_encoded_is_left(text: str) -> None:
    assert plain(text, "digits") == []


def test_a_place_inside_of_an_escape_is_the_escape() -> None:
    (view,) = undisguised(fold("a%40b"), "escapes", 0)
    assert view.text == "a@b"
    assert view.span(1, 2) == (1, 4)


def test_views_of_views_lead_back_to_the_original() -> None:
    (once,) = undisguised(fold("x jo%2540example.org"), "escapes", 0)
    (twice,) = undisguised(once, "escapes", 0)
    assert twice.text == "x jo@example.org"
    assert twice.span(2, 16) == (2, 20)


@given(st.text(max_size=60))
def test_every_place_in_a_view_lies_in_the_text_and_they_rise(text: str) -> None:
    views: list[View] = [fold(text)]
    for spelling in SPELLINGS:
        views += undisguised(views[0], spelling, 0)
    for view in views:
        places = [view.span(0, end) for end in range(len(view.text) + 1)]
        assert all(0 <= start <= end <= len(text) for start, end in places)
        assert places == sorted(places)


@given(st.text(alphabet="ab12@. é", min_size=12, max_size=40))
def test_what_is_encoded_in_base64_is_read_again(text: str) -> None:
    digits = base64.b64encode(text.encode()).decode()
    assert fold_letters(text) in [view for view, _ in plain(digits, "digits")]


@given(st.text(alphabet="abc@ é%=&", max_size=40))
def test_percent_encoding_is_undone(text: str) -> None:
    encoded = "%20" + quote(text, safe="")
    assert fold_letters(" " + text) in [view for view, _ in plain(encoded, "escapes")]


def test_quoted_printable_is_undone() -> None:
    encoded = quopri.encodestring("Größe=5 für Jürgen".encode()).decode()
    assert plain(encoded, "escapes")[0][0] == fold_letters("Größe=5 für Jürgen")
