"""`isthmus doctor`: what is wrong with this installation and with what it relies on."""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.catalog.listing import Snapshot
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.doctor.check import SEVERITIES, Severity
from isthmus.doctor.engines import USUAL_PORTS, Answer
from isthmus.doctor.listeners import own_addresses
from isthmus.doctor.registry import all_checks, checks_named
from isthmus.doctor.report import GRAVE, Report, Told
from isthmus.doctor.run import examine
from isthmus.doctor.scene import Scene
from isthmus.domain.errors import ConfigError
from isthmus.settings import Settings, load
from isthmus.settings.places import UPDATES, cache_dir, config_file, state_dir

_STYLES: Mapping[Severity, str] = {"critical": "bold red", "high": "red", "warn": "yellow", "info": "cyan"}
_INDENT = 10

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*\Z")


def command(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="A check by its id, or a family: network, keys, files, supply-chain, model-files, operation."
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address", help="A host of your own that is asked, too; repeatable. Nothing else is ever asked."
        ),
    ] = None,
    folder: Annotated[
        list[Path] | None, typer.Option("--folder", help="A folder with weights that is looked through; repeatable.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended without a loss: modes of files. Each is shown.")
    ] = False,
    online: Annotated[bool, typer.Option("--online", help="Ask the OSV database, too, by names and versions.")] = False,
    openclaw: Annotated[bool, typer.Option("--openclaw", help="Run OpenClaw's own audit, too, read-only.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Examine this installation and the engines beside it. Ends with 1 where a finding is high or critical."""
    checks = all_checks() if only is None else checks_named(only)
    scene = scene_of(config, addresses=address or (), folders=folder or (), online=online, openclaw=openclaw)
    with Console(stderr=True, quiet=as_json).status("Looking …"):
        report = examine(scene, checks)
    done = mend(report) if fix else None
    if as_json:
        print_json(
            report.as_plain(
                fixed=None if done is None else [told.finding.fix.says for told in done if told.finding.fix]
            )
        )
    else:
        _print(Console(highlight=False), report, done)
    left = [told for told in report.findings if told not in (done or ())]
    if any(told.severity in GRAVE for told in left):
        raise typer.Exit(1)


def scene_of(
    config: Path | None,
    *,
    addresses: Sequence[str] = (),
    folders: Sequence[Path] = (),
    online: bool = False,
    openclaw: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Scene:
    """What the doctor looks at, also where the settings cannot be used.

    Raises:
        ConfigError: an address is none.
    """
    for host in addresses:
        if not _HOST.match(host):
            raise ConfigError(f"'{host[:60]}' is no host.", hint="Say a name or an address, without scheme and port.")
    found = config_file(environ, Path.cwd())
    file = config or (None if found is None else found[0])
    problem: ConfigError | None = None
    settings: Settings | None = None
    catalog = Catalog(version="", models={}, licences={}, providers={}, offers={}, terms={}, snapshot=_NOTHING_LISTED)
    try:
        # Engines are looked for by the doctor itself.
        settings = load(config, environ=environ, ports={})
        catalog = settings.catalog.load(settings.cache_dir)
    except ConfigError as error:
        problem = error
        # Where that fails as well, it is the records that the settings could not be held against: `problem` names them.
        with suppress(ConfigError):
            catalog = load_catalog(updates=state_dir(environ) / UPDATES, cache_dir=cache_dir(environ))
    listed = () if settings is None else settings.doctor.addresses
    return Scene(
        today=datetime.now(UTC).date(),
        environ=dict(environ),
        config_file=file.absolute() if file is not None and file.is_file() else None,
        settings=settings,
        problem=problem,
        catalog=catalog,
        state_dir=state_dir(environ),
        cache_dir=cache_dir(environ),
        addresses=tuple(dict.fromkeys(("127.0.0.1", *listed, *addresses))),
        ports={str(name): port for name, port in USUAL_PORTS.items()},
        site_packages=tuple(dict.fromkeys(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))),
        folders=tuple(dict.fromkeys((*(() if settings is None else settings.doctor.folders), *folders))),
        online=online,
        interfaces=own_addresses(),
        openclaw=openclaw,
    )


def mend(report: Report) -> tuple[Told, ...]:
    """Do what can be done without a loss; what was done."""
    done = []
    for told in report.fixable:
        assert told.finding.fix is not None
        try:
            told.finding.fix.apply()
        except OSError:
            continue  # it is somebody else's file: the finding stands
        done.append(told)
    return tuple(done)


_NOTHING_LISTED = Snapshot(made_on=datetime(1970, 1, 1, tzinfo=UTC).date(), sources={}, listings=())


def _print(console: Console, report: Report, done: tuple[Told, ...] | None) -> None:
    explained: set[str] = set()
    for told in report.findings:
        _print_finding(console, told, why=told.check.id not in explained, mended=done is not None and told in done)
        explained.add(told.check.id)
    if report.exposure:
        console.print(_exposure(report.exposure))
        console.print()
    for one in report.not_made:
        console.print(Text(f"{one.check.id} {one.check.title}: could not be made. {one.reason}", "yellow"))
    left = [told for told in report.findings if told not in (done or ())]
    counts = [
        f"{number} {severity}"
        for severity in reversed(SEVERITIES)
        if (number := sum(told.severity == severity for told in left))
    ]
    summary = f"{', '.join(counts)}. " if counts else "Nothing is left. " if done else "Nothing found. "
    summary += f"{len(done)} mended. " if done else ""
    summary += f"{len(report.passed)} {'check' if len(report.passed) == 1 else 'checks'} passed"
    summary += f", {len(report.not_made)} could not be made." if report.not_made else "."
    grave = any(told.severity in GRAVE for told in left)
    console.print(Text(summary, "bold red" if grave else "bold green" if not counts else "bold"))
    if report.fixable and done is None:
        console.print(f"`--fix` mends {len(report.fixable)} of them.", markup=False)


def _print_finding(console: Console, told: Told, *, why: bool, mended: bool) -> None:
    style = _STYLES[told.severity]
    head = Text.assemble(
        (f"{told.severity.upper():<{_INDENT}}", style), (f"{told.check.id}  ", "bold"), told.check.title
    )
    console.print(head)
    lines = [
        Text(told.finding.subject, "bold"),
        Text(told.finding.found),
        Text(told.check.why if why else "", "dim"),
        Text(f"→ {told.remedy}"),
    ]
    if told.finding.fix is not None:
        lines.append(
            Text(f"{'Done' if mended else 'With --fix'}: {told.finding.fix.says}", "green" if mended else "dim")
        )
    for line in lines:
        if line.plain:
            console.print(Padding(line, (0, 0, 0, _INDENT), expand=False))
    console.print()


def _exposure(answers: Sequence[Answer]) -> Table:
    """What answers where, and to whom."""
    table = Table(
        "engine", "address", "reached by", "without a key", title="What answers", title_justify="left", box=None
    )
    for answer in answers:
        served = {True: "serves", False: "refuses", None: "not told"}[answer.is_open]
        if answer.beside:
            served += f", but not at {', '.join(answer.beside)}"
        version = f" {answer.version}" if answer.version else ""
        grave = answer.target.network and answer.is_open
        table.add_row(
            Text(f"{answer.title}{version}"),
            Text(answer.place),
            "other machines" if answer.target.network else "this machine",
            Text(served, "bold red" if grave else ""),
        )
    return table
