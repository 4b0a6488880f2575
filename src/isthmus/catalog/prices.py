"""What a model costs at a provider: from the `genai-prices` package, offline, as exact decimals.

The package's data takes 39 MB of memory and half a second to import. So it is imported only when something is looked
up that is not kept in a small file of the cache folder, and the server lets its settings be read, prices included, in
another process (`isthmus.settings.apart`). Nothing is ever fetched: only the data that the package brings along is
used.

Prices are those in force when they were looked up: at the start and at each reload of the settings; and, as what is
kept is good for one UTC day, at most a day before that. A price that depends on the time of day (DeepSeek's) is
therefore the one of the hour of the look-up; an operator who minds sets it. A price that depends on the length of
the prompt is the one of short prompts, and `Price.source` says so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.domain.usage import Price

PACKAGE = "genai-prices"

_FORM = 2
"""Of the kept file; another number makes old files be looked past."""

Figures = dict[str, str]
"""The fields of a `Price`, decimals in plain notation."""


class PriceKey(NamedTuple):
    """What a price is looked up by."""

    provider: str
    """As `genai-prices` names it: `Service.prices`."""
    model: str
    """As the provider names it."""


def price_of(provider: str, model: str, at: datetime, *, cache_dir: Path | None = None) -> Price | None:
    """The price of one model; None where it is not known.

    Args:
        provider: as `genai-prices` names it.
        model: as the provider names it.
        at: the moment whose price is asked for, with time zone.
        cache_dir: see `prices_of`.
    """
    key = PriceKey(provider, model)
    return prices_of([key], at, cache_dir=cache_dir).get(key)


def prices_of(wanted: Iterable[PriceKey], at: datetime, *, cache_dir: Path | None = None) -> Mapping[PriceKey, Price]:
    """The prices of several models, as far as they are known.

    Args:
        wanted: what to look up.
        at: the moment whose prices are asked for, with time zone.
        cache_dir: folder of the file that keeps the answer for the day; None: none is kept.
    """
    keys = sorted(set(wanted))
    if not keys:
        return {}
    day = at.astimezone(UTC).date().isoformat()
    question = hashlib.sha256(json.dumps([_FORM, version(PACKAGE), day, keys]).encode()).hexdigest()
    kept = None if cache_dir is None else cache_dir / "prices.json"
    answer = None if kept is None else _read_kept(kept, question, len(keys))
    if answer is None:
        answer = [_look_up(key, at) for key in keys]
        if kept is not None:
            _keep(kept, question, answer)
    return {key: _price(figures) for key, figures in zip(keys, answer, strict=True) if figures is not None}


def _look_up(key: PriceKey, at: datetime) -> Figures | None:
    """The price in force at a moment; None where the provider, the model or its price per text token is not known."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  # see above: 39 MB
    from genai_prices.types import TieredPrices  # noqa: PLC0415

    try:
        _, model = get_snapshot().find_provider_model(key.model, None, key.provider, None)
    except LookupError:
        return None
    prices = model.get_prices(at)
    found = {
        "input": prices.input_mtok,
        "output": prices.output_mtok,
        "cached": prices.cache_read_mtok,
        "cache_written": prices.cache_write_mtok,
        "per_request": prices.requests_kcount,
    }
    if found["input"] is None or found["output"] is None:
        return None
    starts = [tier.start for price in found.values() if isinstance(price, TieredPrices) for tier in price.tiers]
    source = f"{PACKAGE} {version(PACKAGE)}"
    figures = {"source": f"{source}; dearer above {min(starts):,} input tokens" if starts else source}
    for name, price in found.items():
        if price is not None:
            base = price.base if isinstance(price, TieredPrices) else price
            figures[name] = format(base / 1000 if name == "per_request" else base, "f")
    return figures


def _price(figures: Figures) -> Price:
    amounts: dict[str, Any] = {name: Decimal(text) for name, text in figures.items() if name != "source"}
    return Price(source=figures["source"], **amounts)


def _read_kept(kept: Path, question: str, count: int) -> list[Figures | None] | None:
    """What the file answers to this very question; None where it answers another one or is not whole."""
    try:
        record = json.loads(kept.read_text(encoding="utf-8"))
        if record["question"] != question or len(record["answer"]) != count:
            return None
        answer: list[Figures | None] = record["answer"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return answer


def _keep(kept: Path, question: str, answer: list[Figures | None]) -> None:
    """Write the file, whole or not at all. It only saves time, so a folder that cannot be written is no failure."""
    partial = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"question": question, "answer": answer}), encoding="utf-8")
        partial.replace(kept)
    except OSError:
        return
