"""The advice as plain values: everything that it has, for programmes."""

from __future__ import annotations

from typing import Any

import msgspec

from isthmus.catalog.advice.advice import Advice, Answer, Judged, Without
from isthmus.catalog.advice.constraint import in_words
from isthmus.catalog.advice.hardware import memory_gb
from isthmus.catalog.advice.option import Option, Own
from isthmus.catalog.advice.question import Workload
from isthmus.catalog.advice.report import Bullets, Code, Rows, Section, Text, pages
from isthmus.catalog.advice.span import Span


def plain(advice: Advice) -> dict[str, Any]:
    """Money is text, as exact decimals; an unknown is null."""
    return {
        "made_on": advice.made_on,
        "catalog": advice.catalog_version,
        "prices_listed_on": advice.listed_on,
        "question": msgspec.to_builtins(advice.question),
        "workloads": [
            {"decision": page.decision, **_answer(answer), "report": [_section(section) for section in page.sections]}
            for answer, page in zip(advice.answers, pages(advice), strict=True)
        ],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    workload = answer.workload
    crossing = answer.break_even
    return {
        "workload": workload.name,
        "side": answer.side,
        "best": None if answer.best is None else _option(answer.best, workload),
        "standby": None if answer.standby is None else _option(answer.standby, workload),
        "train_first": answer.tuned,
        "decides": [_without(found, workload) for found in answer.decides],
        "fits": [_option(option, workload) for option in answer.fits],
        "would_fit": [_judged(found, workload) for found in answer.would_fit],
        "ruled_out": [
            {
                "constraint": row.constraint,
                "words": in_words(row.constraint, workload),
                "options": row.count,
                "by_this_alone": row.alone,
                "examples": [msgspec.to_builtins(found) for found in row.examples],
            }
            for row in answer.ruled_out
        ],
        "break_even": None
        if crossing is None
        else {
            "service": crossing.served.key,
            "own": crossing.own.key,
            "calls_per_day_earliest": crossing.earliest,
            "calls_per_day_latest": crossing.latest,
        },
        "duties": [msgspec.to_builtins(duty) for duty in answer.duties],
        "stale": answer.stale,
    }


def _without(found: Without, workload: Workload) -> dict[str, Any]:
    return {
        "without": found.constraints,
        "words": [in_words(key, workload) for key in found.constraints],
        "changes_side": found.changes_side,
        "best": _option(found.best, workload),
    }


def _judged(found: Judged, workload: Workload) -> dict[str, Any]:
    return {**_option(found.option, workload), "open": [msgspec.to_builtins(judgement) for judgement in found.against]}


def _option(option: Option, workload: Workload) -> dict[str, Any]:
    values: dict[str, Any] = {
        "key": option.key,
        "side": option.side,
        "model": option.model.id,
        "operator": option.operator,
        "usd_month": _span(option.usd_month),
    }
    if isinstance(option.at, Own):
        fleet, size = option.at.fleet, option.at.size
        return values | {
            "keeping": option.at.keeping,
            "memory_gb_needed": None if size is None else round(memory_gb(size, workload), 1),
            "machine": None if fleet is None else fleet.machine.name,
            "machines": None if fleet is None else list(fleet.count),
            "machines_usd_month": None if fleet is None else _span(fleet.machines_usd),
            "staff_usd_month": None if fleet is None else _span(fleet.staff_usd),
            "busy": None if fleet is None else [round(float(end), 3) for end in fleet.busy],
        }
    listing = option.at.listing
    return values | {
        "offer": option.at.offer.id,
        "terms": option.at.terms.id,
        "api_id": None if listing is None else listing.api_id,
    }


def _span(span: Span | None) -> list[str] | None:
    return None if span is None else [f"{end:.2f}" for end in span]


def _section(section: Section) -> dict[str, Any]:
    said: list[Any] = []
    for block in section.blocks:
        match block:
            case Text(text) | Code(_, text):
                said.append(text)
            case Bullets(items):
                said += items
            case Rows(header, rows):
                said.append([header, *rows])
    return {"title": section.title, "says": said}
