"""`isthmus catalog update`: newer prices, retirements and records, as a diff in words, applied on one's word."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from isthmus.catalog.bundle import read_bundle, write_bundle
from isthmus.catalog.catalog import SNAPSHOT, catalog_of, contents_of, version_of
from isthmus.catalog.changes.applied import Applied, applied, apply, only_one, outdated, undo
from isthmus.catalog.changes.change import Change, Group
from isthmus.catalog.changes.plan import Plan
from isthmus.catalog.feeds.extract import extract
from isthmus.catalog.listing import snapshot_json
from isthmus.cli.options import JsonOption
from isthmus.cli.show import print_json
from isthmus.connectors.feeds import URLS, Fetching, fetch
from isthmus.domain.errors import ConfigError
from isthmus.settings.places import UPDATES, state_dir

NOTHING, CHANGED, WAITING = 0, 3, 4
"""Exit statuses: the catalog is as it was and there is nothing to do; it was changed; there are changes, and none was
applied."""

SHOWN = 20
"""Lines of the group `others` that are shown without `--all`."""

LEFT_AT_LEAST = 0.5
"""Of the listings in force: feeds that lose more than the rest are taken for broken."""


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    group: Group
    says: str
    loosens: str
    contested: bool
    applied: bool


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    changed: bool
    source: str
    sha256: Mapping[str, str]
    catalog_before: str
    catalog_after: str
    """The same as before where nothing was applied. Both are without the operator's own records."""
    changes: tuple[_Told, ...]
    outdated: tuple[str, ...]
    """Files of the last update that stand before newer ones of this isthmus."""


class _Update(NamedTuple):
    source: str
    sha256: Mapping[str, str]
    contents: Mapping[str, bytes]


def command(
    from_: Annotated[
        Path | None, typer.Option("--from", help="A bundle, instead of the feeds: for machines that fetch nothing.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="What the bundle must hash to, in hex.")] = None,
    mirror: Annotated[
        str | None, typer.Option(help="https address of a mirror that has the feeds as <mirror>/<host>/<path>.")
    ] = None,
    ca_file: Annotated[str | None, typer.Option(help="PEM file of the authorities to trust, for a mirror.")] = None,
    accept: Annotated[
        list[str] | None, typer.Option(help="Id of a change that loosens, to be applied; * stands for anything.")
    ] = None,
    accept_loosening: Annotated[bool, typer.Option(help="Apply all that loosens, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply, without asking, what loosens nothing.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every change of limits and modalities.")] = False,
    export: Annotated[Path | None, typer.Option(help="Write the catalog in force as a bundle, and stop.")] = None,
    undo_: Annotated[bool, typer.Option("--undo", help="Put in force again what was before the last update.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what changed in prices, retirements, licences and terms, and apply what you agree to.

    Exit status: 0 nothing to do, 3 the catalog was changed, 4 there are changes and none was applied.
    """
    folder = state_dir(os.environ) / UPDATES
    today = datetime.now(UTC).date()
    if export is not None:
        _export(export, contents_of(updates=folder), today, as_json=as_json)
        return
    with only_one(folder):
        if undo_:
            raise typer.Exit(_undo(folder, as_json=as_json))
        before = contents_of(updates=folder)
        if from_ is not None:
            update = _from_bundle(from_, sha256)
        else:
            update = _from_feeds(before, Fetching(mirror=mirror, ca_file=ca_file), today, quiet=as_json)
        plan = Plan(before=before, update=update.contents)
        asks = _watched() and not as_json
        console = Console(highlight=False)
        if not as_json:
            show(console, plan, update.source, show_all=show_all)
        accepted = frozenset(c.id for c in plan.loosening) if accept_loosening else plan.accepted(accept or ())
        free = yes
        if asks:
            free = yes or _confirmed(f"Apply the {len(plan.free)} that loosen nothing?", bool(plan.free))
            accepted |= _accepted(plan, accepted)
        status = _finish(folder, plan, update, accepted, free=free, as_json=as_json, console=console)
    raise typer.Exit(status)


def _watched() -> bool:
    """Whether there is a person to be asked."""
    return sys.stdin.isatty()


def _export(target: Path, contents: Mapping[str, bytes], today: date, *, as_json: bool) -> None:
    write_bundle(target, contents, made_on=today)
    found = read_bundle(target)
    if as_json:
        print_json({"file": str(target), "sha256": found.sha256, "files": len(contents)})
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{target}: {len(contents)} files, sha256 {found.sha256}", markup=False)
    console.print(f"There: isthmus catalog update --from {target.name} --sha256 {found.sha256}", markup=False)


def _undo(folder: Path, *, as_json: bool) -> int:
    last = undo(folder)
    version = version_of(contents_of(updates=folder))
    if as_json:
        print_json({"changed": last is not None, "undone": last, "catalog": version})
    else:
        said = "No update is applied." if last is None else f"The update of {last.applied_at:%Y-%m-%d %H:%M} is undone."
        Console(highlight=False).print(f"{said} The catalog is {version}.")
    return NOTHING if last is None else CHANGED


def _from_bundle(source: Path, sha256: str | None) -> _Update:
    bundle = read_bundle(source, sha256=sha256)
    return _Update(f"{source}, made on {bundle.about.made_on}", {source.name: bundle.sha256}, bundle.contents)


def _from_feeds(before: Mapping[str, bytes], fetching: Fetching, today: date, *, quiet: bool) -> _Update:
    console = Console(stderr=True)
    copies = {}
    with console.status("fetching", spinner="line") as status:
        for feed in URLS:
            if not quiet:
                status.update(f"fetching {feed}")
            copies[feed] = fetch(feed, fetching, today)
    records = catalog_of(before)
    snapshot = extract(copies, models=records.models, providers=records.providers, made_on=today)
    if len(snapshot.listings) < LEFT_AT_LEAST * len(records.snapshot.listings):
        raise ConfigError(
            f"The feeds list {len(snapshot.listings)} models, where {len(records.snapshot.listings)} are listed now.",
            hint="That is no update but a fault of theirs, so nothing of it was used. Try again another day.",
        )
    hashes = {feed: copy.source.content_sha256 or "" for feed, copy in copies.items()}
    return _Update(f"feeds {', '.join(URLS)}", hashes, {SNAPSHOT: snapshot_json(snapshot)})


def show(console: Console, plan: Plan, source: str, *, show_all: bool) -> None:
    """Print the changes, group by group: `!` before what loosens, `=` before what is not applied at all."""
    console.print(f"from {source}", style="dim", markup=False, soft_wrap=True)
    if not plan.changes:
        console.print("Nothing has changed.")
    for group, found in groupby(plan.changes, key=lambda change: change.group):
        changes = sorted(found, key=lambda change: not change.loosens)
        console.print(f"\n[bold]{group}[/] ({len(changes)})")
        left = (
            changes if show_all or group != "others" else changes[: max(SHOWN, sum(bool(c.loosens) for c in changes))]
        )
        for change in left:
            _show(console, change)
        if len(left) < len(changes):
            console.print(f"  … and {len(changes) - len(left)} more; --all shows them", style="dim")


def _show(console: Console, change: Change) -> None:
    mark, style = ("=", "yellow") if change.contested else ("!", "red") if change.loosens else ("·", "")
    console.print(Text(f"  {mark} {change.says}", style), soft_wrap=True)
    if change.loosens and not change.contested:
        console.print(Text(f"      {change.loosens} · {change.id}", "dim"), soft_wrap=True)


def _confirmed(question: str, ask: bool) -> bool:
    return ask and typer.confirm(f"\n{question}", default=False)


def _accepted(plan: Plan, already: Collection[str]) -> frozenset[str]:
    """What a person accepts of what loosens, group by group. Yes is never the default."""
    left = [change for change in plan.loosening if change.id not in already]
    found: set[str] = set()
    for group, changes in groupby(left, key=lambda change: change.group):
        names = [change.id for change in changes]
        if _confirmed(f"{group}: apply the {len(names)} marked ! that loosen?", bool(names)):
            found |= set(names)
    return frozenset(found)


def _finish(
    folder: Path,
    plan: Plan,
    update: _Update,
    accepted: Collection[str],
    *,
    free: bool,
    as_json: bool,
    console: Console,
) -> int:
    """Apply what was agreed to, and say what was done."""
    held = plan.held(accepted, free=free)
    left_out = {change.id for change in held}
    taken = [change for change in plan.changes if change.id not in left_out]
    last = applied(folder)
    shipped = contents_of()
    old, new = version_of(plan.before), version_of(plan.before)
    if taken:
        files = plan.result(held)
        new = version_of(files)
        last = apply(folder, files, shipped=shipped, record=_record(update, old, new, accepted, held))
    stale = () if last is None else outdated(last, shipped)
    if as_json:
        told = tuple(_told(change, applied=change.id not in left_out) for change in plan.changes)
        print_json(
            _Result(
                changed=bool(taken),
                source=update.source,
                sha256=update.sha256,
                catalog_before=old,
                catalog_after=new,
                changes=told,
                outdated=stale,
            )
        )
    else:
        _say(console, taken, held, old, new, stale)
    return CHANGED if taken else WAITING if plan.changes else NOTHING


def _record(update: _Update, old: str, new: str, accepted: Collection[str], held: Iterable[Change]) -> Applied:
    return Applied(
        applied_at=datetime.now(UTC),
        source=update.source,
        sha256=update.sha256,
        catalog_before=old,
        catalog_after=new,
        accepted=tuple(sorted(accepted)),
        held=tuple(change.id for change in held),
        over={},
    )


def _told(change: Change, *, applied: bool) -> _Told:
    return _Told(
        id=change.id,
        group=change.group,
        says=change.says,
        loosens=change.loosens,
        contested=change.contested,
        applied=applied,
    )


def _say(
    console: Console,
    taken: Collection[Change],
    held: Collection[Change],
    old: str,
    new: str,
    stale: Collection[str],
) -> None:
    console.print()
    if taken:
        console.print(
            f"Applied {_counted(len(taken), 'change')}: catalog {old} → {new}. `--undo` takes them back.",
            soft_wrap=True,
        )
    elif held:
        console.print("Nothing was applied. `--yes` applies what loosens nothing.", soft_wrap=True)
    waiting = [change for change in held if change.loosens and not change.contested]
    if waiting:
        console.print(
            f"{_counted(len(waiting), 'change')} marked ! left for your word: `--accept ID` one by one, "
            "`--accept-loosening` all.",
            soft_wrap=True,
        )
    if stale:
        console.print(
            f"{_counted(len(stale), 'file')} of an earlier update before newer ones of this isthmus, such as "
            f"{min(stale)}. `--undo` puts the newer in force.",
            style="yellow",
            soft_wrap=True,
            markup=False,
        )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
