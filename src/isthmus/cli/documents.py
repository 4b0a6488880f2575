"""`isthmus documents`: register documents, so that they are recognised wherever they turn up; list and forget them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from isthmus.cli.ledger import StoreOption, store_of
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import counting, print_json
from isthmus.connectors.documents.folders import Skipped, documents_under
from isthmus.connectors.documents.reading import DocumentReader
from isthmus.connectors.documents.refusal import Refused
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.label import Label, label
from isthmus.domain.principal import DEFAULT_TENANT
from isthmus.ledger.fingerprints import FingerprintFile, installation_key, key_file, lineage_file, lineage_key
from isthmus.perimeter.lineage import Document, Lineage, Registered

app = typer.Typer(help="Documents that are recognised wherever they turn up.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", help="Tenant in whose requests it is recognised.")]


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(help="Files (text, Markdown, HTML, PDF, DOCX), or folders of such.")],
    label_name: Annotated[
        str | None, typer.Option("--label", help="Label that requests get in which the document turns up.")
    ] = None,
    harmless: Annotated[
        bool, typer.Option("--harmless", help="Prompts and templates that are never to be remembered as labelled.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the document; for one file. Not given: its full path.")
    ] = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Register documents by their fingerprints; the text is not kept. One of the same name is replaced."""
    wanted = _label(label_name, harmless=harmless)
    found = [one for path in paths for one in documents_under(path.resolve())]
    files = [one for one in found if isinstance(one, Path)]
    skipped = [one for one in found if isinstance(one, Skipped)]
    if name is not None and len(found) != 1:
        raise InvalidRequest("A name can be given to one document only.", hint="Name one file.", param="name")
    registered: list[Registered] = []
    with _lineage(store, config) as lineage, DocumentReader() as reader, counting(quiet=as_json) as bar:
        for path in bar.track(files, description="documents"):
            try:
                done = lineage.register(tenant, wanted, name or str(path), reader.texts(path))
                if not done.fingerprints:
                    raise Refused("it is too short to be recognised")
            except Refused as refused:
                skipped.append(Skipped(path, str(refused)))
            else:
                registered.append(done)
    _tell(registered, skipped, as_json=as_json)
    named = {path.resolve() for path in paths}
    if not registered or any(one.path in named for one in skipped):
        raise typer.Exit(1)


@app.command("list")
def list_documents(
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """List the registered documents."""
    with _lineage(store, config) as lineage:
        documents = lineage.documents(tenant)
    if as_json:
        print_json([_facts(document) for document in documents])
        return
    console = Console(highlight=False)
    if not documents:
        console.print("No documents are registered. `isthmus documents add` registers some.", markup=False)
        return
    table = Table("name", "label", "fingerprints", "added", box=None, pad_edge=False)
    for document in documents:
        added = datetime.fromtimestamp(document.added).astimezone()
        table.add_row(
            document.name, document.label or "harmless", f"{document.fingerprints:,}", f"{added:%Y-%m-%d %H:%M}"
        )
    console.print(table, markup=False)


@app.command()
def forget(
    names: Annotated[
        list[str], typer.Argument(help="Names, as `list` tells them. With a slash at the end: all that begin so.")
    ],
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove documents and their fingerprints, for good."""
    with _lineage(store, config) as lineage:
        known = {document.name: document.fingerprints for document in lineage.documents(tenant)}
        meant = list(dict.fromkeys(one for name in names for one in _meant(name, known)))
        lineage.forget(tenant, *meant)
    if as_json:
        print_json([{"name": name, "fingerprints": known[name]} for name in meant])
        return
    for name in meant:
        typer.echo(f"{name} is forgotten, with its {known[name]:,} fingerprints.")


@contextmanager
def _lineage(store: str | None, config: Path | None) -> Iterator[Lineage]:
    beside = store_of(store, config).path
    key = lineage_key(installation_key(key_file(beside)))
    kept = FingerprintFile(lineage_file(beside))
    try:
        yield Lineage(kept, key, clock=time.time)
    finally:
        kept.close()


def _label(name: str | None, *, harmless: bool) -> Label | None:
    """The label that is meant; None: that the document is harmless."""
    if (name is None) != harmless:
        raise InvalidRequest(
            "Say what the documents are.",
            hint="Either --label with a label, or --harmless for what everybody may see.",
            param="label",
        )
    try:
        return None if name is None else label(name)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", param="label") from error


def _tell(registered: Sequence[Registered], skipped: Sequence[Skipped], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "registered": registered,
                "skipped": [{"path": str(one.path), "reason": one.reason} for one in skipped],
            }
        )
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for done in registered:
        what = f"label {done.label}" if done.label else "harmless"
        again = ", in place of the one before" if done.replaced else ""
        console.print(f"{done.name}: {what}, {done.fingerprints:,} fingerprints{again}")
    for one in skipped:
        console.print(f"{one.path}: skipped, {one.reason}", style="yellow")
    console.print(f"{_documents(len(registered))} registered, {len(skipped):,} skipped.", style="bold")


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count:,} documents"


def _meant(name: str, known: Collection[str]) -> list[str]:
    """The documents a name stands for."""
    meant = [one for one in known if one == name or (name.endswith("/") and one.startswith(name))]
    if not meant:
        raise InvalidRequest(
            f"No document is registered as {name!r}.", hint="`isthmus documents list` names them.", param="name"
        )
    return meant


def _facts(document: Document) -> dict[str, Any]:
    return {
        "name": document.name,
        "label": document.label,
        "harmless": document.label is None,
        "fingerprints": document.fingerprints,
        "added": datetime.fromtimestamp(document.added, UTC),
    }
