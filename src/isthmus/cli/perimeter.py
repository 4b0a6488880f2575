"""`isthmus perimeter`: hold the rules against the offers, try to get canaries out, fit the gate to one's own texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from isthmus.cli import explain
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.detectors.registry import detectors_for, groups, kinds
from isthmus.domain.errors import ConfigError
from isthmus.domain.principal import Key
from isthmus.ledger.keys import KeyStore
from isthmus.ledger.store import Store
from isthmus.perimeter.audit import Level, Remark, audit
from isthmus.perimeter.policy import Policy
from isthmus.proof.matrix import MEANINGS, SIGNS, Line, lines
from isthmus.proof.page import page
from isthmus.proof.plan import plan
from isthmus.proof.report import coverage, report, violation_row
from isthmus.proof.run import Progress as Told
from isthmus.proof.run import Proof, prove
from isthmus.proof.verdict import OPENNESS, Result, Verdict
from isthmus.settings import Settings, load

app = typer.Typer(help="What may leave, and the proof that nothing else does.", no_args_is_help=True)
app.command("explain")(explain.command)

_LEVEL_STYLES: Mapping[Level, str] = {"error": "bold red", "loose": "yellow", "note": "dim"}
_SIGN_STYLES: Mapping[Verdict, str] = {"held": "dim", "lowered": "cyan", "crossed": "yellow", "forbidden": "bold red"}
_MOST_SHOWN = 10
"""Sorts of violations told on the screen; the report has all."""


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Hold the rules against the offers: what cannot be enforced, and where they are loose. Sends nothing."""
    settings = load(config)
    missing = _missing_detectors(settings.policy)
    declared = {name for key in _keys(settings) for name in key.labels}
    remarks = audit(settings.policy, settings.offers, settings.workloads, declared=declared)
    if as_json:
        print_json({"remarks": remarks, "missing_detectors": missing})
    else:
        _print_check(Console(highlight=False), settings, remarks, missing)
    if missing or any(remark.level == "error" for remark in remarks):
        raise typer.Exit(1)


@app.command()
def detectors(as_json: JsonOption = False) -> None:
    """List what can be found, and by which names `detect` takes it."""
    known, together = kinds(), groups()
    rows = [
        {"kind": kind, "detector": detector, "groups": sorted(name for name in together if kind in together[name])}
        for kind, detector in sorted(known.items())
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("kind", "found by", "groups", box=None, pad_edge=False)
    for row in rows:
        table.add_row(str(row["kind"]), str(row["detector"]), ", ".join(row["groups"]))
    Console(highlight=False).print(table, markup=False)


@app.command("test")
def prove_it(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for report.html and report.json; made where it is not.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Try a part of it, for a first look.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try to get canaries of every label out, with stand-ins for the offers. Ends with 1 where one gets out."""
    settings = load(config)
    planned = plan(settings, _keys(settings), quick=quick)
    with _bar("requests", quiet=as_json) as progress:
        proof = uvloop.run(prove(settings, planned, progress=progress))
    told = report(proof)
    if out is not None:
        _write(out, {"report.json": _json(told), "report.html": page(told)})
    if as_json:
        print_json(told)
    else:
        _print_proof(Console(highlight=False), proof, out)
    if not proof.holds:
        raise typer.Exit(1)


@app.command()
def train(
    files: Annotated[
        list[Path], typer.Argument(help='Examples, a line each: {"text": "…", "kinds": ["health"]}; harmless: [].')
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the weights.")] = Path("topics.json"),
    only: Annotated[bool, typer.Option("--only", help="Without the examples that came along.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fit the semantic gate to one's own texts, and say how well it did on those it had not seen."""
    # Imported here: numpy and the embedding are as large as all the rest.
    from isthmus.detectors.semantic.examples import read  # noqa: PLC0415
    from isthmus.detectors.semantic.fit import describe, fit  # noqa: PLC0415
    from isthmus.detectors.semantic.weights import save  # noqa: PLC0415

    examples = [example for file in files for example in read(file)]
    with _bar("windows", quiet=as_json) as progress:
        weights = fit(examples, base=not only, progress=progress)
    save(weights, out)
    if as_json:
        print_json({"weights": str(out), "examples": len(examples), "report": weights.report})
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print("Of texts it had not seen when it was asked:", style="bold")
    console.print(describe(weights.report))
    console.print(f'Put them in force with these lines of isthmus.toml:\n\n[perimeter]\ntopics = "{out.absolute()}"')


# ------------------------------------------------------------------------------------------------------------- check


def _keys(settings: Settings) -> list[Key]:
    """The keys of settings and store."""
    keys = list(settings.keys.values())
    store = Store(settings.store.url)
    if store.exists():
        try:
            keys += [one.key for one in KeyStore(store).list() if one.revoked is None]
        finally:
            store.dispose()
    return keys


def _missing_detectors(policy: Policy) -> list[str]:
    """Why detectors that the rules need cannot be had."""
    by_detector: dict[str, set[str]] = {}
    for rule in policy.rules.values():
        for kind in rule.kinds:
            by_detector.setdefault(kinds()[kind], set()).add(kind)
    missing = []
    for wanted in by_detector.values():
        try:
            detectors_for(wanted)
        except ConfigError as error:
            missing.append(f"{', '.join(sorted(wanted))}: {error.sentence}")
    return missing


def _print_check(console: Console, settings: Settings, remarks: Sequence[Remark], missing: Sequence[str]) -> None:
    for problem in missing:
        console.print(f"error  {problem}", style=_LEVEL_STYLES["error"], markup=False)
    if remarks:
        table = Table("level", "about", "what", box=None, pad_edge=False)
        for remark in remarks:
            table.add_row(Text(remark.level, _LEVEL_STYLES[remark.level]), Text(remark.subject), Text(remark.sentence))
        console.print(table)
    counts = {level: sum(remark.level == level for remark in remarks) for level in _LEVEL_STYLES}
    counts["error"] += len(missing)
    rules = len(settings.policy.rules)
    summary = f"{_count(rules, 'rule')}, {_count(len(settings.offers), 'offer')}: {_count(counts['error'], 'error')}, "
    summary += f"{counts['loose']} loose, {_count(counts['note'], 'note')}."
    if not rules:
        summary += " Without rules, an offer may see what its `cleared` says."
    console.print(summary, style="bold", markup=False)
    if not counts["error"]:
        console.print("`isthmus perimeter test` tries whether they hold.", markup=False)


# -------------------------------------------------------------------------------------------------------------- test


def _print_proof(console: Console, proof: Proof, out: Path | None) -> None:
    _print_matrix(console, proof)
    counts = proof.verdicts()
    for verdict in OPENNESS:
        if counts[verdict] or verdict == "forbidden":
            line = Text(f"{SIGNS[verdict]} {counts[verdict]:>6,}  {MEANINGS[verdict]}", _SIGN_STYLES[verdict])
            console.print(line)
    console.print(Text(f"\n{coverage(proof)} Where a field is empty, that offer was not in it.", "dim"))
    _print_violations(console, proof)
    for trace in proof.traces:
        console.print(f"Content was found in {trace.where}: {trace.what}.", style="bold red", markup=False)
    for name, count in proof.strays.items():
        console.print(f"{name} was sent {_count(count, 'request')} that nobody made.", style="bold red", markup=False)
    for sentence, rows in (
        ("arrived and could not be seen, so it proves nothing there", proof.blind),
        ("met a fault of isthmus", proof.faults),
    ):
        for title in dict.fromkeys(result.cell.way.title for result in rows):
            console.print(f"What came in by {title} {sentence}.", style="bold red", markup=False)
    outcome = "Nothing crossed that the rules forbid." if proof.holds else "The perimeter does not hold."
    style = "bold green" if proof.holds else "bold red"
    console.print(
        f"\n{outcome} {_count(len(proof.results), 'request')} in {proof.seconds:.0f} s.", style=style, markup=False
    )
    where = f"The report is in {out}." if out else "`--out FOLDER` writes a report with all of it."
    console.print(where, markup=False)


def _print_matrix(console: Console, proof: Proof) -> None:
    """The most that happened, by label and way in, with a column for each offer."""
    names = list(proof.settings.offers)
    heads: Sequence[str] = names
    if sum(len(name) + 2 for name in names) > console.width - 34:  # what the widest way in leaves
        heads = [_letter(number) for number in range(len(names))]
        legend = ", ".join(f"{head} {name}" for head, name in zip(heads, names, strict=True))
        console.print(legend, markup=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="center", no_wrap=True)
    for label, rows in groupby(lines(proof), key=lambda line: line.label):
        table.add_row(Text(label, "bold"))
        for row in rows:
            table.add_row(f"  {row.way.title}", *_signs(row, names))
    console.print(table)
    console.print()


def _signs(line: Line, names: Sequence[str]) -> Iterator[Text]:
    for name in names:
        verdict = line.verdicts.get(name)
        yield Text("") if verdict is None else Text(SIGNS[verdict], _SIGN_STYLES[verdict])


def _letter(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else f"A{number}"


def _print_violations(console: Console, proof: Proof) -> None:
    """What got out, once for each sort of text and way in."""
    sorts: dict[tuple[str, str, str], list[Result]] = {}
    for result in proof.violations:
        row = violation_row(result)
        sorts.setdefault((row["label"], row["kind"] or "declared", row["way"]), []).append(result)
    for (name, kind, way), results in list(sorts.items())[:_MOST_SHOWN]:
        offers = sorted({offer for result in results for offer in result.reasons})
        told = f"✗ {name} ({kind}), {way}: {_count(len(results), 'request')} to {', '.join(offers)}."
        console.print(told, style="bold red", markup=False)
        for reason in dict.fromkeys(reason for result in results for reason in result.reasons.values()):
            console.print(Text(f"  {reason}"))
    if len(sorts) > _MOST_SHOWN:
        console.print(f"… and {len(sorts) - _MOST_SHOWN:,} more sorts.", style="bold red", markup=False)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _write(folder: Path, contents: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The report cannot be written to {folder}: {error.strerror or error}.") from error


@contextmanager
def _bar(what: str, *, quiet: bool) -> Iterator[Told]:
    """A progress bar, where somebody is there to see it."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task: TaskID = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"
