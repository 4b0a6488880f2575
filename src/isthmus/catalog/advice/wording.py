"""Figures and options as people say them."""

from __future__ import annotations

from decimal import Decimal

from isthmus.catalog.advice.option import Option, Own, Served
from isthmus.catalog.advice.question import DataClass, Workload
from isthmus.catalog.advice.span import Span

DATA: dict[DataClass, str] = {
    "public": "public data",
    "internal": "internal data",
    "personal": "personal data",
    "patient": "patient data",
    "privileged": "privileged data",
    "secret": "secrets",
}


def dollars(amount: Decimal) -> str:
    """To the cent below ten, else to the dollar; from a thousand on to three digits."""
    if amount < 10:
        return f"${amount:.2f}"
    if amount < 1000:
        return f"${amount:.0f}"
    digits = len(str(int(amount))) - 3
    return f"${round(int(amount), -digits):,}"


def money(span: Span) -> str:
    return dollars(span.low) if span.exact else f"{dollars(span.low)} to {dollars(span.high)}"


def usd_month(option: Option) -> str:
    return "price not known" if option.usd_month is None else f"{money(option.usd_month)} a month"


def where(option: Option) -> str:
    """Where it is served, as what follows the name of the model."""
    if isinstance(option.at, Served):
        return f"at {option.at.offer.title}"
    if option.at.fleet is None:
        return "on a machine of your own"
    return f"on {machines(option.at)}"


def machines(own: Own) -> str:
    """`one bought machine: …`, `4 to 12 rented machines, each …`."""
    assert own.fleet is not None
    low, high = own.fleet.count
    title = own.fleet.machine.title
    if low == high == 1:
        return f"one {own.keeping} machine: {title}"
    count = f"{low}" if low == high else f"{low} to {high}"
    return f"{count} {own.keeping} machines, each {title}"


def asked(workload: Workload) -> str:
    """What is asked of it, in a line."""
    kinds = " and ".join(DATA[kind] for kind in workload.data)
    return (
        f"{workload.capability}, {workload.calls_per_day:,} calls a day, {workload.input_tokens:,} tokens in and "
        f"{workload.output_tokens:,} out each, {kinds}, answers within {workload.answer_within_s:,} s"
    )


def amount(value: Decimal) -> str:
    """A price per million tokens, without zeros at the end."""
    text = f"{value:f}"
    return f"${text.rstrip('0').rstrip('.') if '.' in text else text}"
