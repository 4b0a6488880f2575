"""`isthmus ledger believed`: what was held to be true of offers, rules and models when a request was decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from isthmus.cli.ledger import StoreOption, store_of
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.domain.errors import NotFound
from isthmus.ledger import beliefs
from isthmus.ledger.reader import LedgerReader


def command(
    what: Annotated[str, typer.Argument(help="A request, or a version as `isthmus ledger show` tells it.")],
    record: Annotated[
        str | None, typer.Option(help="A record of the catalog as it stood then, such as models/meta/llama-4-scout.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was believed: the offers with their facts and the rules, as they stood when a request was decided."""
    ledger = store_of(store, config)
    folder = beliefs.folder(ledger.path)
    if beliefs.has(folder, what):
        versions: list[str | None] = [what]
    else:
        found = LedgerReader(ledger).get(what)
        if found is None:
            raise NotFound(f"There is no request {what!r}, nor is anything kept under a version of that name.")
        versions = [found.entry.catalog_version, found.entry.policy_version]
    believed = [json.loads(beliefs.read(folder, version)) for version in versions if version is not None]
    if not believed:
        raise NotFound(f"Request {what} was refused before it was held against anything.")
    if record is not None:
        _print_record(folder, believed[0]["catalog"], record, as_json=as_json)
    elif as_json:
        print_json(believed)
    else:
        for content in believed:
            _print(Console(), content)


def _print_record(folder: Path, manifest: str, record: str, *, as_json: bool) -> None:
    files = beliefs.read_catalog(folder, manifest)
    text = files.get(f"{record}.yaml")
    if text is None:
        raise NotFound(
            f"Catalog {manifest} has no record {record!r}.", hint="Say kind and id: models/meta/llama-4-scout."
        )
    if as_json:
        print_json({"catalog": manifest, "record": record, "text": text.decode()})
    else:
        typer.echo(text.decode(), nl=False)


def _print(console: Console, content: Any) -> None:
    if isinstance(content, list):
        console.print_json(json.dumps(content))
        return
    table = Table(title=f"Offers, by catalog {content['catalog']}", title_justify="left", box=None, pad_edge=False)
    for name in ("offer", "model", "terms", "region", "seat", "kept", "trains", "evidence", "not for"):
        table.add_column(name, overflow="fold")
    for offer in content["offers"]:
        table.add_row(*_row(offer))
    console.print(table)
    if content["organisation"] is not None:
        said = {key: value for key, value in content["organisation"].items() if value not in (None, "", [], ())}
        console.print("organisation: " + ", ".join(f"{key} {value}" for key, value in said.items()), markup=False)


def _row(offer: Mapping[str, Any]) -> tuple[str, ...]:
    kept = offer["retention_days"]
    return (
        offer["name"],
        offer["record"] or offer["model"],
        offer["terms"] or "?",
        offer["region"] or "?",
        offer["jurisdiction"] or "?",
        "?" if kept is None else f"{kept} days",
        offer["training"],
        offer["evidence"],
        ", ".join(use for use, _ in offer["barred"]),
    )
