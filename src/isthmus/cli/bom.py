"""`isthmus bom`: a bill of materials of the models that are run and the services that are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import msgspec
import typer
from rich.console import Console

from isthmus.catalog.bom.document import Stamp, bom_of
from isthmus.cli.options import ConfigOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Offer
from isthmus.providers.embedded.lock import locked_sha256, read_lock
from isthmus.settings import Settings, load


def command(
    config: ConfigOption = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
    _as_json: Annotated[bool, typer.Option("--json", help="It is JSON anyway.")] = False,
) -> None:
    """Write a bill of materials: CycloneDX 1.6, models with their cards, services with what data crosses to them."""
    settings = load(config)
    bill = bom_of(
        _pinned(settings),
        settings.catalog.load(settings.cache_dir),
        stamp=Stamp(serial=uuid4(), made_at=datetime.now(UTC), isthmus=version("isthmus")),
        organisation=settings.organisation,
    )
    if output is None:
        print_json(bill)
        return
    try:
        output.write_bytes(msgspec.json.format(msgspec.json.encode(bill), indent=2) + b"\n")
    except OSError as exc:
        raise ConfigError(f"{output} cannot be written: {exc.strerror}.") from exc
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"Wrote {_counted(bill)} to {output}.", markup=False)


def _pinned(settings: Settings) -> Iterator[Offer]:
    """The offers, with the hashes that the lock has for weights whose settings name none."""
    lock = read_lock(settings.catalog.lock)
    for offer in settings.offers.values():
        if offer.engine is None or offer.engine.weights.sha256 is not None:
            yield offer
        else:
            weights = replace(offer.engine.weights, sha256=locked_sha256(lock, offer.engine.weights))
            yield replace(offer, engine=replace(offer.engine, weights=weights))


def _counted(bill: dict[str, object]) -> str:
    """`2 models and 1 service`."""

    def count(key: str, word: str) -> str:
        entries = bill[key]
        number = len(entries) if isinstance(entries, list) else 0
        return f"{number} {word}{'' if number == 1 else 's'}"

    return f"{count('components', 'model')} and {count('services', 'service')}"
