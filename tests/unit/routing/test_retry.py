import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.errors import UpstreamMalformed, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from isthmus.routing.retry import LONGEST_WAIT, PATIENCE, judge, wait_before


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_a_passing_fault_is_worth_another_try(status: int) -> None:
    assert judge(UpstreamRefused("", status=status)).verdict == "again"


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_the_callers_fault_is_told_and_tried_nowhere_else(status: int) -> None:
    failure = judge(UpstreamRefused("", status=status))
    assert failure.verdict == "caller"
    assert not failure.ails


@pytest.mark.parametrize("status", [401, 402, 403, 404, 410])
def test_what_is_the_operators_fault_moves_on_to_another_offer(status: int) -> None:
    error = UpstreamRefused("", status=status)
    assert judge(error).verdict == "offer"
    assert error.status == 502


def test_a_prompt_too_long_for_one_offer_may_fit_another() -> None:
    failure = judge(UpstreamRefused("", status=400, upstream_code="context_length_exceeded"))
    assert failure.verdict == "offer"
    assert not failure.ails


@pytest.mark.parametrize(
    "error", [UpstreamUnreachable(""), UpstreamTimeout("", phase="connect"), UpstreamMalformed("")]
)
def test_no_answer_is_a_passing_fault(error: UpstreamUnreachable | UpstreamTimeout | UpstreamMalformed) -> None:
    assert judge(error).verdict == "again"


@given(st.integers(1, 30), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 100))
def test_we_wait_as_long_as_asked_and_never_beyond_the_bounds(tries: int, draw: float, asked: float | None) -> None:
    wait = wait_before(tries, draw, asked)
    if asked is not None and asked > PATIENCE:
        assert wait is None
    else:
        assert wait is not None
        assert (asked or 0.0) <= wait <= max(LONGEST_WAIT, asked or 0.0)
