"""`isthmus scan`: what is sensitive in documents, and copies with it taken out. The text itself is never shown."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import counting, print_json
from isthmus.connectors.documents.folders import Skipped, documents_under
from isthmus.connectors.documents.reading import DocumentReader
from isthmus.connectors.documents.refusal import Refused
from isthmus.detectors.deep.pieces import pieces
from isthmus.detectors.registry import RULES, deep_detectors, detectors_for, kinds
from isthmus.domain.errors import InvalidRequest
from isthmus.domain.finding import Finding
from isthmus.domain.label import Label
from isthmus.domain.ports import Detector
from isthmus.perimeter.policy import Policy
from isthmus.perimeter.redaction import redact
from isthmus.settings import Settings, load

_PLACES_SHOWN = 5
_TOPIC_CHARACTERS = 16_000
"""Given to a semantic detector at once: it gives up on what takes it longer than 30 s, about 80,000 on idle cores."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found. Lines and columns begin with 1 and count in the plain text of the document."""

    kind: str
    labels: tuple[Label, ...]
    line: int
    column: int
    exact: bool
    """Whether it can be taken out."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A document that was looked through."""

    path: Path
    labels: tuple[Label, ...]
    places: tuple[Place, ...]
    copy: Path | None
    """With everything taken out that was found; None: none was asked for, or not everything can be."""


def command(
    paths: Annotated[list[Path], typer.Argument(help="Files (text, Markdown, HTML, PDF, DOCX), or folders of such.")],
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Look for names, places, organisations and dates, too, by Presidio. Slow. English."
        ),
    ] = False,
    label_names: Annotated[
        list[str] | None,
        typer.Option("--label", help="Look for this label of the settings only; repeatable. Not given: for all."),
    ] = None,
    redacted: Annotated[
        Path | None,
        typer.Option("--redact", help="Folder for plain-text copies with what was found taken out. Replaces no file."),
    ] = None,
    fail_on_findings: Annotated[
        bool, typer.Option("--fail-on-findings", help="End with 1 where anything was found, not only on errors.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell what is sensitive in documents and where, without showing it: what the labels of the settings stand for.

    Where no label says what to detect, every kind of text with a form is looked for.
    """
    settings = load(config, ports={})  # without ports: nothing is asked of any engine
    detectors = _detectors(settings, label_names or ())
    if deep:
        detectors += deep_detectors()
    scanner = _Scanner(settings.policy, detectors)
    found = [(path, one) for path in paths for one in documents_under(path)]
    skipped = [one for _, one in found if isinstance(one, Skipped)]
    files = [(named, one) for named, one in found if isinstance(one, Path)]
    scanned: list[Scanned] = []
    failed: list[Skipped] = []
    with DocumentReader() as reader, counting(quiet=as_json) as bar:
        for named, path in bar.track(files, description="documents"):
            try:
                # One text, so that what goes over the border of two parts is found as well.
                text = "\n\n".join(reader.texts(path))
                scanned.append(scanner.scan(path, text, _copy(redacted, named, path)))
            except Refused as refused:
                skipped.append(Skipped(path, str(refused)))
            except _Unscanned as unscanned:
                failed.append(Skipped(path, str(unscanned)))
    _tell(scanned, skipped, failed, redacting=redacted is not None, as_json=as_json)
    left = redacted is not None and any(one.copy is None for one in scanned)
    if failed or left or any(one.path in paths for one in skipped):
        raise typer.Exit(1)
    if fail_on_findings and any(one.places for one in scanned):
        raise typer.Exit(1)


class _Unscanned(Exception):
    """A document is not known to be clean, or its copy not written. The message goes on after a colon."""


class _Scanner:
    """Looks through texts for what some detectors find."""

    def __init__(self, policy: Policy, detectors: Sequence[Detector]) -> None:
        self._policy = policy
        self._labels = policy.labels_of_kind
        self._detectors = detectors

    def scan(self, path: Path, text: str, copy: Path | None) -> Scanned:
        """Look through a document, and write its copy where one is wanted and everything found can be taken out.

        Raises:
            _Unscanned: a detector failed, or the copy cannot be written.
        """
        findings = sorted(
            (one for detector in self._detectors for one in _found(detector, text)),
            key=lambda one: (one.start, one.end, one.kind),
        )
        if copy is not None:
            copy = _write(copy, _redacted(text, findings)) if all(one.exact for one in findings) else None
        direct = {name for one in findings for name in self._labels.get(one.kind, ())}
        return Scanned(path, tuple(sorted(self._policy.closure(direct))), tuple(self._places(text, findings)), copy)

    def _places(self, text: str, findings: Sequence[Finding]) -> Iterator[Place]:
        breaks = [at for at, character in enumerate(text) if character == "\n"] if findings else []
        for one in findings:
            line = bisect_right(breaks, one.start - 1)
            column = one.start - (breaks[line - 1] if line else -1)
            yield Place(one.kind, self._labels.get(one.kind, ()), line + 1, column, one.exact)


def _detectors(settings: Settings, names: Sequence[str]) -> tuple[Detector, ...]:
    """What finds what the labels stand for; without any that says so, every rule there is.

    Raises:
        InvalidRequest: a label is not among the settings, or nothing is detected for it.
        ConfigError: a detector is not installed.
    """
    detected = {name: rule.kinds for name, rule in settings.policy.rules.items() if rule.kinds}
    for name in names:
        if name not in detected:
            raise InvalidRequest(
                f"The settings do not say what to detect for the label {name!r}.",
                hint=f"Labels with `detect`: {', '.join(sorted(detected)) or 'none'}.",
                param="label",
            )
    if not detected:
        return detectors_for(kind for kind, detector in kinds().items() if detector == RULES)
    wanted = {kind for name in names or detected for kind in detected[Label(name)]}
    return detectors_for(wanted, weights=settings.perimeter.topics)


def _found(detector: Detector, text: str) -> Sequence[Finding]:
    """What a detector finds.

    Raises:
        _Unscanned: it failed, so nothing is known of the text.
    """
    parts = pieces(text, _TOPIC_CHARACTERS if detector.tier == "semantic" else max(1, len(text)))
    try:
        return [
            Finding(one.kind, part.offset + one.start, part.offset + one.end, one.exact)
            for part in parts
            for one in detector.find([part.text])[0]
        ]
    except Exception as error:  # whatever it is; its text may quote the document
        raise _Unscanned(f"the detector {detector.name} failed ({type(error).__name__})") from error


def _redacted(text: str, findings: Sequence[Finding]) -> str:
    """Names read `[PERSON]` there, whichever detector found them."""
    return redact(text, [Finding(one.kind.removeprefix("deep_"), one.start, one.end) for one in findings])


def _copy(folder: Path | None, named: Path, path: Path) -> Path | None:
    """Where the copy of a document belongs: beside the others as the document is, below the folder that was named."""
    if folder is None:
        return None
    inner = Path(path.name) if path == named else named.resolve().name / path.relative_to(named)
    return folder / inner if inner.suffix == ".txt" else folder / inner.with_name(f"{inner.name}.txt")


def _write(copy: Path, text: str) -> Path:
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("x", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise _Unscanned(f"its copy was not written, because {copy} is there already") from None
    except OSError as error:
        raise _Unscanned(f"its copy {copy} cannot be written ({error.strerror})") from error
    return copy


def _tell(
    scanned: Sequence[Scanned], skipped: Sequence[Skipped], failed: Sequence[Skipped], *, redacting: bool, as_json: bool
) -> None:
    if as_json:
        told = {"skipped": _facts(skipped), "failed": _facts(failed)}
        print_json({"documents": [_document(one, redacting=redacting) for one in scanned], **told})
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for one in scanned:
        if one.places:
            console.print(f"{one.path}: {', '.join(one.labels) or 'no label'}", style="bold")
            for kind, places in _by_kind(one.places).items():
                console.print(f"  {kind}: {len(places):,} at {_where(places)}")
        if redacting and one.copy is None:
            console.print("  no copy was written, because where this begins and ends is not known:")
            for kind, places in _by_kind([place for place in one.places if not place.exact]).items():
                console.print(f"  could not be taken out: {kind} at {_where(places, most=len(places))}", style="red")
        elif one.copy is not None:
            console.print(f"{'  ' if one.places else f'{one.path}: nothing found, '}copy: {one.copy}")
    for refused in skipped:
        console.print(f"{refused.path}: skipped, {refused.reason}", style="yellow")
    for refused in failed:
        console.print(f"{refused.path}: failed, {refused.reason}", style="bold red")
    found = sum(bool(one.places) for one in scanned)
    counts = (
        f"{found:,} with findings, {len(scanned) - found:,} without, {len(skipped):,} skipped, {len(failed):,} failed."
    )
    console.print(f"Documents: {counts}", style="bold")


def _by_kind(places: Sequence[Place]) -> Mapping[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for place in places:
        found.setdefault(place.kind, []).append(place)
    return dict(sorted(found.items()))


def _where(places: Sequence[Place], *, most: int = _PLACES_SHOWN) -> str:
    """Lines and columns: `2:5, 7:1 and 12 more`."""
    shown = ", ".join(f"{place.line}:{place.column}" for place in places[:most])
    return f"{shown} and {len(places) - most:,} more" if len(places) > most else shown


def _document(one: Scanned, *, redacting: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "path": str(one.path),
        "labels": one.labels,
        "kinds": dict(sorted(Counter(place.kind for place in one.places).items())),
        "findings": [
            {"kind": place.kind, "labels": place.labels, "line": place.line, "column": place.column}
            for place in one.places
        ],
    }
    if redacting:
        left = [place for place in one.places if not place.exact]
        facts["copy"] = None if one.copy is None else str(one.copy)
        facts["could_not_be_taken_out"] = [
            {"kind": place.kind, "line": place.line, "column": place.column} for place in left
        ]
    return facts


def _facts(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    return [{"path": str(one.path), "reason": one.reason} for one in skipped]
