import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.marks import EVERYONE, ONLY_THE_USER, OWN_WORDS, THE_USER, USER, Mark, Origin, Party, Readers, join
from isthmus.domain.label import Label

parties = st.frozensets(st.sampled_from([Party(f"mailto:{name}@example.org") for name in "abcd"]))
readers = st.just(EVERYONE) | parties.map(Readers)
origins = st.frozensets(
    st.sampled_from([USER, Origin("isthmus"), Origin("web:example.org"), Origin("unknown")]), min_size=1
)
labels = st.frozensets(st.sampled_from([Label("private"), Label("phi"), Label("secret")]))
marks = st.builds(Mark, labels=labels, readers=readers, origins=origins)


@given(marks, marks, marks)
def test_joining_is_the_same_in_whatever_order(one: Mark, two: Mark, three: Mark) -> None:
    assert one.joined(two) == two.joined(one)
    assert one.joined(two).joined(three) == one.joined(two.joined(three))
    assert one.joined(one) == one


@given(marks)
def test_own_words_change_nothing_but_that_isthmus_had_a_hand_in_it(mark: Mark) -> None:
    joined = mark.joined(OWN_WORDS)
    assert (joined.labels, joined.readers, joined.trusted) == (mark.labels, mark.readers, mark.trusted)


@given(marks, marks, parties)
def test_what_is_made_of_two_goes_nowhere_that_one_of_them_may_not(
    one: Mark, two: Mark, where: frozenset[Party]
) -> None:
    joined = one.joined(two)
    assert joined.labels >= one.labels
    assert not joined.readers.include(where) or (one.readers.include(where) and two.readers.include(where))


@given(marks, marks)
def test_one_word_of_somebody_else_makes_the_whole_untrusted(one: Mark, two: Mark) -> None:
    assert one.joined(two).trusted == (one.trusted and two.trusted)


@given(st.lists(marks), marks)
def test_more_pieces_never_loosen(some: list[Mark], more: Mark) -> None:
    before, after = join(some), join([*some, more])
    assert after.labels >= before.labels
    assert after.origins >= before.origins
    assert before.trusted or not after.trusted


def test_the_user_may_always_read() -> None:
    assert ONLY_THE_USER.include({THE_USER})
    assert not ONLY_THE_USER.include({Party("mailto:a@example.org")})


def test_a_mark_without_origin_and_a_party_besides_everyone_cannot_be() -> None:
    with pytest.raises(ValueError, match="origin"):
        Mark(origins=frozenset())
    with pytest.raises(ValueError, match="everyone"):
        Readers(frozenset({Party("mailto:a@example.org")}), everyone=True)
