"""What models cost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from isthmus.catalog import prices
from isthmus.catalog.prices import PriceKey, price_of, prices_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_known_price_is_exact_and_says_where_it_is_from() -> None:
    price = price_of("openai", "gpt-5.4-mini", NOW)
    assert price is not None
    assert (price.input, price.output, price.cached) == (Decimal("0.75"), Decimal("4.5"), Decimal("0.075"))
    assert price.source.startswith("genai-prices 0.")


def test_a_price_that_rises_with_the_prompt_says_so() -> None:
    price = price_of("google", "gemini-2.5-pro", NOW)
    assert price is not None
    assert price.input == Decimal("1.25")
    assert price.source.endswith("; dearer above 200,000 input tokens")


def test_a_price_per_request_is_kept() -> None:
    price = price_of("perplexity", "sonar", NOW)
    assert price is not None
    assert price.per_request > 0


def test_writing_to_the_cache_has_its_own_price() -> None:
    price = price_of("anthropic", "claude-haiku-4-5", NOW)
    assert price is not None
    assert price.cache_written == Decimal("1.25")


def test_the_price_is_the_one_in_force_on_the_day() -> None:
    before = price_of("openai", "o3", datetime(2025, 5, 1, tzinfo=UTC))
    after = price_of("openai", "o3", datetime(2025, 7, 1, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert before.input > after.input


@pytest.mark.parametrize(("provider", "model"), [("openai", "no-such-model"), ("no-such-provider", "m"), ("", "")])
def test_an_unknown_model_has_no_price(provider: str, model: str) -> None:
    assert price_of(provider, model, NOW) is None


def test_what_was_looked_up_is_kept_for_the_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [PriceKey("openai", "gpt-5.4-mini"), PriceKey("openai", "no-such-model")]
    first = prices_of(keys, NOW, cache_dir=tmp_path)
    asked: list[PriceKey] = []
    monkeypatch.setattr(prices, "_look_up", lambda key, _at: asked.append(key))
    assert prices_of(keys, NOW.replace(hour=23), cache_dir=tmp_path) == first
    assert asked == []
    prices_of(keys, NOW.replace(day=22), cache_dir=tmp_path)
    assert asked == sorted(keys)


@pytest.mark.parametrize("spoilt", ["", "[]", "null", '{"question": 3}', "[" * 100_000])
def test_a_spoilt_file_is_looked_past(tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "prices.json").write_text(spoilt)
    assert price_of("openai", "gpt-5.4-mini", NOW, cache_dir=tmp_path) is not None
    assert json.loads((tmp_path / "prices.json").read_text())["answer"]


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert price_of("openai", "gpt-5.4-mini", NOW, cache_dir=tmp_path / "file") is not None
