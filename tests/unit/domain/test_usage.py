from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.usage import FREE, Price, Usage, cost


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    tokens = st.integers(0, 2_000_000)
    cached, written, plain, reasoning, text = (draw(tokens) for _ in range(5))
    return Usage(
        input=cached + written + plain,
        cached=cached,
        cache_written=written,
        output=reasoning + text,
        reasoning=reasoning,
    )


rates = st.decimals(0, 1000, places=6, allow_nan=False)


@given(usages(), usages(), rates, rates, rates)
def test_cost_is_additive_over_completions(
    one: Usage, other: Usage, p_in: Decimal, p_out: Decimal, p_c: Decimal
) -> None:
    price = Price(input=p_in, output=p_out, cached=p_c, source="test")
    both = Usage(
        input=one.input + other.input,
        cached=one.cached + other.cached,
        cache_written=one.cache_written + other.cache_written,
        output=one.output + other.output,
        reasoning=one.reasoning + other.reasoning,
    )
    assert cost(one, price) + cost(other, price) == cost(both, price)


def test_cached_and_written_input_have_their_own_price() -> None:
    price = Price(
        input=Decimal(2),
        output=Decimal(8),
        cached=Decimal("0.5"),
        cache_written=Decimal("2.5"),
        per_request=Decimal("0.001"),
        source="test",
    )
    usage = Usage(input=1_000_000, cached=400_000, cache_written=100_000, output=250_000)
    assert cost(usage, price) == Decimal("1.0") + Decimal("0.2") + Decimal("0.25") + Decimal(2) + Decimal("0.001")


def test_own_hardware_has_no_price_per_token() -> None:
    assert cost(Usage(input=10, output=10), FREE) == 0


@pytest.mark.parametrize(
    "counts",
    [
        {"input": -1},
        {"input": 1, "cached": 2},
        {"output": 1, "reasoning": 2},
        {"input": 2, "cached": 1, "cache_written": 2},
    ],
)
def test_impossible_counts_do_not_become_a_usage(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"tokens|counts"):
        Usage(**counts)
