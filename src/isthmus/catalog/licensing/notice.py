"""What has to be done for the models in use, gathered from verdicts into one report in Markdown.

It names the licences whose copies belong to it and has the lines that they prescribe; the texts of licences are not
kept in the catalog, and are fetched from the addresses it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.licensing.check import USE_PHRASES
from isthmus.catalog.licensing.verdict import Duty, Verdict

_HEADINGS: tuple[tuple[str, str], ...] = (
    ("attribution", "To be shown to users"),
    ("naming", "Names that must begin so"),
    ("notice", "Lines for the Notice file"),
    ("licence_copy", "Licences to hand on a copy of"),
    ("state_changes", "Changes to be marked"),
    ("pass_on", "Restrictions to bind others to"),
    ("use_policy", "Use policies to keep"),
    ("registration", "To be registered or told first"),
    ("notify", "To be told"),
    ("condition", "Conditions of those who serve the model"),
)
"""Kinds of duties, in the order in which people look for them."""


def notice_report(verdicts: Sequence[Verdict], catalog: Catalog, *, today: date) -> str:
    """The duties of all verdicts together, by what is to be done, as Markdown that reads well as plain text.

    What is not allowed comes first; of what is forbidden there are no duties, as none would make up for it.
    """
    asked = "; ".join(f"{model}: {', '.join(uses)}" for model, uses in _asked(verdicts).items())
    lines = ["# Notices for models", "", f"For {asked or 'nothing'}.", ""]
    lines.append(f"Made on {today} from catalog {catalog.version}. A list to work from, and no legal advice.")
    pursued = [verdict for verdict in verdicts if verdict.outcome != "forbidden"]
    if barred := [verdict for verdict in verdicts if not verdict.ruling.serves]:
        lines += ["", "## Not allowed, or not known to be", ""]
        lines += [f"- {model}, {' and '.join(uses)}: {told}" for (model, told), uses in _barred(barred).items()]
    for kind, heading in _HEADINGS:
        if entries := _entries(kind, pursued, catalog):
            lines += ["", f"## {heading}", "", *entries]
    if pursued and not any(verdict.duties for verdict in pursued):
        lines += ["", "Nothing has to be done."]
    return "\n".join(lines) + "\n"


def _asked(verdicts: Iterable[Verdict]) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {}
    for verdict in verdicts:
        asked.setdefault(verdict.model, []).append(verdict.use)
    return asked


def _barred(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], list[str]]:
    """The uses by model and by what stands in their way."""
    barred: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        told = f"{verdict.outcome}. {verdict.ruling.sentence}"
        barred.setdefault((verdict.model, told), []).append(USE_PHRASES[verdict.use])
    return barred


def _entries(kind: str, verdicts: Iterable[Verdict], catalog: Catalog) -> list[str]:
    """One line for each duty of a kind, with the models that it is for."""
    models: dict[Duty, list[str]] = {}
    for verdict in verdicts:
        for duty in verdict.duties:
            if duty.kind == kind:
                of_duty = models.setdefault(duty, [])
                if verdict.model not in of_duty:
                    of_duty.append(verdict.model)
    return [_entry(duty, names, catalog) for duty, names in models.items()]


def _entry(duty: Duty, models: Sequence[str], catalog: Catalog) -> str:
    licence = catalog.licences.get(duty.record)
    record = duty.record if licence is None else licence.title
    where = ", ".join(part for part in (record, duty.place, duty.url) if part)
    told = f"- {duty.says} For {', '.join(models)} ({where})."
    return f"{told}\n\n  > {duty.text}" if duty.text else told
