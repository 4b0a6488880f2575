"""The report for people: one page that stands alone, to be read in a browser or on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #bbb; }
table { border-collapse: collapse; margin: .6rem 0; } th, td { border: 1px solid #ccc; padding: .2rem .5rem; }
th { text-align: left; background: #f3f3f3; vertical-align: bottom; } td { vertical-align: top; }
td.sign { text-align: center; } .forbidden { background: #b00020; color: #fff; font-weight: 600; }
.crossed { background: #fff3cd; } .lowered { background: #e3eefc; } .held { color: #777; }
.verdict { font-size: 1.15rem; font-weight: 600; padding: .6rem 1rem; border-left: .5rem solid; }
.holds { border-color: #1b7f3b; background: #eaf6ee; } .fails { border-color: #b00020; background: #fbeaec; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
@media print { body { margin: 0; font-size: 11px; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
* { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
"""

_WORDS = {"held": "held", "lowered": "taken out", "crossed": "crossed", "forbidden": "FORBIDDEN"}


def page(told: Mapping[str, Any]) -> str:
    """The page of a report (`isthmus.proof.report.report`)."""
    body = "".join(
        (
            f"<h1>Perimeter test</h1>{_verdict(told)}",
            _section("What was tested", _tested(told)),
            _section("What crossed and what was held", _matrix(told)),
            _section("Violations", _violations(told)),
            _section("Rules", _rules(told)),
            _section("Offers", _offers(told)),
            _section("Traces of content", _traces(told)),
            _section("What is not covered", _list(told["not_covered"] + told["untried"] + _shut(told))),
            _section("How to repeat it", _repeat(told)),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Perimeter test</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _verdict(told: Mapping[str, Any]) -> str:
    counts = told["counts"]
    if told["holds"]:
        return (
            f'<p class="verdict holds">Nothing crossed that the rules forbid, in {counts["requests"]:,} requests.</p>'
        )
    found = []
    if told["violations"]:
        found.append(f"{len(told['violations']):,} requests crossed that the rules forbid")
    if told["traces"]:
        found.append("content was found where none may be")
    if told["strays"]:
        found.append("offers were sent requests that nobody made")
    if told["blind"]:
        found.append("some controls arrived unseen, so their ways prove nothing")
    if told["faults"]:
        found.append(f"{len(told['faults']):,} requests met a fault of isthmus")
    text = "; ".join(found)
    return f'<p class="verdict fails">{escape(text[0].upper() + text[1:])}.</p>'


def _tested(told: Mapping[str, Any]) -> str:
    settings, counts = told["settings"], told["counts"]
    facts = {
        "Settings": settings["file"] or "no file: what was found on this machine",
        "SHA-256 of the file": settings["sha256"] or "none",
        "Version of the rules": settings["policy_version"] or "there are none",
        "Version of the catalog": settings["catalog_version"],
        "isthmus": told["isthmus"],
        "Begun": f"{told['began']}, for {told['seconds']} s",
        "Endpoints": ", ".join(told["endpoints"]),
        "Failures of the first offer": "it " + "; it ".join(told["failures"].values()),
        "Coverage": told["coverage"],
        "Requests": f"{counts['requests']:,}, with {counts['controls']:,} controls: harmless text that is to arrive",
    }
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items())
    return (
        "<p>isthmus was run on these settings as it is, with a recording stand-in on this machine in the place of each "
        "offer. Only addresses, keys and deadlines were changed. Canaries, texts that bear a label, were sent in by "
        "every way a text can take. What a stand-in received was searched for the canary, as it is and decoded. What "
        "may cross was worked out from the rules and the facts of the offers alone.</p>"
        f"<table>{rows}</table>"
    )


def _matrix(told: Mapping[str, Any]) -> str:
    offers = [offer["offer"] for offer in told["offers"]]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("label", "came in", *offers, "requests"))
    rows = []
    for line in told["matrix"]:
        cells = "".join(_sign(line["offers"].get(offer)) for offer in offers)
        rows.append(
            f"<tr><td>{escape(line['label'])}</td><td>{escape(line['way'])}</td>{cells}<td>{line['cells']}</td></tr>"
        )
    counts = told["counts"]
    return (
        "<p>Each field shows the most that happened. <b>held</b>: the offer was sent nothing. <b>taken out</b>: it was "
        "asked, with the canary taken out. <b>crossed</b>: it was sent the canary, and its facts meet the rules. "
        f"<b>FORBIDDEN</b>: it was sent what the rules do not let it see. In all: held {counts['held']:,}, taken out "
        f"{counts['lowered']:,}, crossed {counts['crossed']:,}, forbidden {counts['forbidden']:,}.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _sign(verdict: str | None) -> str:
    return "<td></td>" if verdict is None else f'<td class="sign {verdict}">{_WORDS[verdict]}</td>'


def _violations(told: Mapping[str, Any]) -> str:
    rows = [*told["violations"], *({**row, "reasons": {"": "a fault of isthmus"}} for row in told["faults"])]
    if not rows:
        return "<p>None.</p>"
    return _table(
        ("label", "kind", "came in", "endpoint", "asked for", "failure", "why it may not"),
        (
            (
                row["label"],
                row["kind"] or "declared",
                row["way"],
                row["endpoint"],
                row["asked_for"],
                row["failure"] or "",
                " ".join(row["reasons"].values()),
            )
            for row in rows
        ),
    )


def _rules(told: Mapping[str, Any]) -> str:
    if not told["policy"]:
        return "<p>There are no rules: what an offer may see is what its <code>cleared</code> says.</p>"
    return _table(
        ("label", "found by", "an offer must have", "else", "brings along", "ledger"),
        (
            (
                rule["label"],
                ", ".join(rule["detect"]) or "declaring it",
                _needs(rule["needs"]),
                rule["else"] or "",
                ", ".join(rule["implies"]),
                "before it leaves" if rule["strict"] else "in groups",
            )
            for rule in told["policy"]
        ),
    )


def _needs(needs: Mapping[str, Any] | None) -> str:
    if needs is None:
        return "the label in `cleared`"
    return "; ".join(
        f"{name} {' or '.join(value) if isinstance(value, list) else value}" for name, value in needs.items()
    )


def _offers(told: Mapping[str, Any]) -> str:
    names = ("offer", "model", "side", "region", "jurisdiction", "retention_days", "training", "evidence", "cleared")
    return _table(
        [name.replace("_", " ") for name in names],
        (
            [
                ", ".join(value) if isinstance(value := offer[name], list) else "not known" if value is None else value
                for name in names
            ]
            for offer in told["offers"]
        ),
    )


def _traces(told: Mapping[str, Any]) -> str:
    searched = told["searched"]
    files = ", ".join(searched["files"]) or "none"
    lines = f"{searched['log_lines']:,} lines of log, at the most talkative level"
    text = f"<p>Searched for canaries: {lines}; and the files that isthmus wrote: {escape(files)}.</p>"
    if told["traces"]:
        return text + _list(f"{trace['where']}: {trace['what']}" for trace in told["traces"])
    return text + "<p>None was found.</p>"


def _shut(told: Mapping[str, Any]) -> list[str]:
    """Ways by which not even harmless text goes anywhere."""
    found = dict.fromkeys((row["way"], row["asked_for"], row["code"]) for row in told["shut"])
    return [f"{way}, asking for {target}: isthmus refuses any request ({code})." for way, target, code in found]


def _repeat(told: Mapping[str, Any]) -> str:
    return (
        f"<p><code>{escape(told['repeat'])}</code></p><p>The same settings and the same version give the same "
        "requests. It needs no key of a provider and sends nothing to any. It ends with 1 when something crossed that "
        "may not.</p>"
    )


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>{content}"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
