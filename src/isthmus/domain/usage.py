"""Tokens of one completion, their price, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from isthmus.domain.value import quick_value


@quick_value(kw_only=True)
class Usage:
    """Tokens of one completion, as billed. Counts nest: the parts are contained in their whole."""

    input: int = 0
    """All input tokens, cached ones included."""
    cached: int = 0
    """Part of `input` that was read from the provider's prompt cache."""
    cache_written: int = 0
    """Part of `input` that was written to the provider's prompt cache."""
    output: int = 0
    """All output tokens, reasoning included."""
    reasoning: int = 0
    """Part of `output` that was spent on reasoning."""
    audio_input: int = 0
    """Part of `input` that was sound."""
    audio_output: int = 0
    """Part of `output` that was sound."""

    def __post_init__(self) -> None:
        if self.cached < 0 or self.cache_written < 0 or self.reasoning < 0 or self.input < 0 or self.output < 0:
            raise ValueError("token counts are not negative")
        if self.cached + self.cache_written > self.input:
            raise ValueError("cached and cache_written tokens are parts of the input")
        if self.reasoning > self.output:
            raise ValueError("reasoning tokens are part of the output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars per million tokens, and where that was read."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    """None: cached input costs what input costs."""
    cache_written: Decimal | None = None
    """None: written input costs what input costs."""
    per_request: Decimal = Decimal(0)
    """Dollars for each request, on top."""
    source: str
    """Where the figures come from: a package with its version, or `settings`."""


FREE = Price(input=Decimal(0), output=Decimal(0), source="own hardware, no price per token")


def cost(usage: Usage, price: Price) -> Decimal:
    """Cost of one completion.

    cost = ((input - cached - written)·p_input + cached·p_cached + written·p_written + output·p_output) / 10⁶
           + p_request

    Args:
        usage: tokens as billed.
        price: dollars per million tokens, in force when the completion ended.

    Returns:
        Dollars, exact. Rounding is the reader's business.
    """
    millionths = usage.input * price.input + usage.output * price.output
    if usage.cached and price.cached is not None:
        millionths += usage.cached * (price.cached - price.input)
    if usage.cache_written and price.cache_written is not None:
        millionths += usage.cache_written * (price.cache_written - price.input)
    dollars = millionths.scaleb(-6)
    return dollars + price.per_request if price.per_request else dollars


def total(one: Usage, other: Usage) -> Usage:
    """The tokens of two completions together."""
    return Usage(
        input=one.input + other.input,
        cached=one.cached + other.cached,
        cache_written=one.cache_written + other.cache_written,
        output=one.output + other.output,
        reasoning=one.reasoning + other.reasoning,
        audio_input=one.audio_input + other.audio_input,
        audio_output=one.audio_output + other.audio_output,
    )


def plain(amount: Decimal) -> str:
    """An amount as plain digits, exact, without an exponent or zeros at its end."""
    return f"{amount.normalize():f}" if amount else "0"
