from hypothesis import given
from hypothesis import strategies as st

from isthmus.routing.health import FAILURES_TO_OPEN, FIRST_REST, LONGEST_REST, PROBE_PATIENCE, HealthBoard


def opened(at: float = 0.0) -> HealthBoard:
    board = HealthBoard()
    for _ in range(FAILURES_TO_OPEN):
        board.failed("x", "upstream_error", at)
    return board


def test_an_offer_never_heard_of_is_well() -> None:
    assert HealthBoard().resting("x", 0.0) is None


def test_failures_short_of_the_limit_do_not_put_an_offer_to_rest() -> None:
    board = HealthBoard()
    for _ in range(FAILURES_TO_OPEN - 1):
        board.failed("x", "upstream_error", 0.0)
    assert board.resting("x", 0.0) is None


def test_a_success_between_failures_starts_the_count_anew() -> None:
    board = HealthBoard()
    for _ in range(3):
        for _ in range(FAILURES_TO_OPEN - 1):
            board.failed("x", "upstream_error", 0.0)
        board.succeeded("x", 0.1)
    assert board.resting("x", 0.0) is None


def test_after_its_rest_one_probe_is_let_through_and_others_wait_for_it() -> None:
    board = opened()
    assert board.resting("x", FIRST_REST - 0.1) is not None
    assert board.enter("x", FIRST_REST)
    assert not board.enter("x", FIRST_REST)
    board.succeeded("x", 0.1)
    assert board.enter("x", FIRST_REST)
    assert board.enter("x", FIRST_REST)


def test_a_failed_probe_doubles_the_rest_up_to_a_bound() -> None:
    board, now, rests = opened(), 0.0, []
    for _ in range(8):
        now += board.soonest(("x",), now) or 0.0
        assert board.enter("x", now)
        board.failed("x", "upstream_error", now)
        rests.append(board.soonest(("x",), now))
    assert rests[0] == 2 * FIRST_REST
    assert rests[-1] == LONGEST_REST


def test_a_probe_that_never_comes_back_does_not_lock_the_offer_for_ever() -> None:
    board = opened()
    assert board.enter("x", FIRST_REST)
    assert board.enter("x", FIRST_REST + PROBE_PATIENCE)


def test_a_probe_that_told_nothing_lets_the_next_one_in() -> None:
    board = opened()
    assert board.enter("x", FIRST_REST)
    board.leave("x")
    assert board.enter("x", FIRST_REST)


def test_an_offer_that_asks_to_be_left_alone_is() -> None:
    board = HealthBoard()
    board.failed("x", "upstream_error", 10.0, retry_after=3.0)
    assert board.resting("x", 12.9) == "x rests for 0.1 s more after upstream_error."
    assert board.resting("x", 13.0) is None


@given(st.lists(st.sampled_from(["ok", "fail", "asked", "enter", "leave", "wait"]), max_size=60))
def test_no_history_keeps_an_offer_out_for_longer_than_the_longest_rest(history: list[str]) -> None:
    board, now = HealthBoard(), 0.0
    for event in history:
        match event:
            case "ok":
                board.succeeded("x", 0.1)
            case "fail":
                board.failed("x", "upstream_error", now)
            case "asked":
                board.failed("x", "upstream_error", now, retry_after=10_000.0)
            case "enter":
                board.enter("x", now)
            case "leave":
                board.leave("x")
            case _:
                now += 1.0
    assert board.resting("x", now + LONGEST_REST + PROBE_PATIENCE) is None
