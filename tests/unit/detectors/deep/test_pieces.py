from hypothesis import given
from hypothesis import strategies as st

from isthmus.detectors.deep.pieces import pieces


@given(st.text(st.sampled_from("ab. \n")), st.integers(1, 20))
def test_the_pieces_joined_are_the_text_and_none_is_too_long(text: str, most: int) -> None:
    found = list(pieces(text, most))
    assert "".join(piece.text for piece in found) == text
    assert all(0 < len(piece.text) <= most for piece in found)
    assert all(text[piece.offset :].startswith(piece.text) for piece in found)


def test_a_text_is_cut_where_a_paragraph_ends_rather_than_a_line_or_a_word() -> None:
    assert [piece.text for piece in pieces("one two\n\nthree\nfour five", 15)] == ["one two\n\n", "three\nfour five"]
    assert [piece.text for piece in pieces("one two three", 10)] == ["one two ", "three"]
