import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.agent.profiles import workloads_of
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Capabilities, Offer, Side


def offer(name: str, side: Side = "own", **capabilities: object) -> Offer:
    return Offer(
        name=name,
        model=name,
        provider="test",
        dialect="openai-chat",
        base_url="http://127.0.0.1:1/v1",
        side=side,
        capabilities=Capabilities(**capabilities),  # type: ignore[arg-type]  # the tests name fields of Capabilities
    )


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["own", "hosted", "closed"]), min_size=1))
def test_privacy_first_never_thinks_with_what_is_not_own(sides: dict[str, Side]) -> None:
    offers = [offer(name, side) for name, side in sides.items()]
    own = {name for name, side in sides.items() if side == "own"}
    if own:
        routine, complex_ = workloads_of("privacy-first", offers)
        assert set(routine.offers) == set(complex_.offers) == own
    else:
        with pytest.raises(ConfigError, match="own"):
            workloads_of("privacy-first", offers)


def test_cost_optimised_does_routine_work_where_it_is_cheapest_and_complex_work_where_it_is_best() -> None:
    routine, complex_ = workloads_of("cost-optimised", [offer("a"), offer("b", "closed")])
    assert (routine.goal, complex_.goal) == ("cheapest", "best")
    assert routine.offers == complex_.offers == ("a", "b")


def test_models_that_do_not_answer_in_words_are_left_out() -> None:
    assert workloads_of("performance-first", [offer("a"), offer("e", completions="no")]).routine.offers == ("a",)
