"""Results as Markdown tables. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

from bench.goals import Verdict
from bench.results import ByRound, Figure, Measurement, Results, Spread, TargetResult, by_round, ratio, spread
from bench.scenarios import SCENARIOS, Scenario

REFERENCE = "nginx"
NOT_MEASURED = "-"


def report(results: Results, verdicts: Sequence[Verdict]) -> str:
    """The whole report: machine, goals, one table per scenario, capacity, memory, ledger, what failed."""
    parts = [_machine(results), _goals(verdicts), _targets(results)]
    parts += [_scenario(results, scenario) for scenario in SCENARIOS.values()]
    parts += [_capacity(results), _memory(results), _ledger(results), _troubles(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if isnan(value):
        return NOT_MEASURED
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_range(found: Spread | None) -> str:
    """Median with lowest and highest, which are left out when there was one round only."""
    if found is None:
        return NOT_MEASURED
    if found.low == found.high:
        return number(found.median)
    return f"{number(found.median)} ({number(found.low)}..{number(found.high)})"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty when it has no rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines])


def _titled(title: str, table: str) -> str:
    return f"### {title}\n\n{table}" if table else ""


def _machine(results: Results) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    rounds = f"{results.rounds} round" + ("s" if results.rounds > 1 else "")
    return f"{results.began}, {rounds} of {results.seconds:g} s per load, {results.took_s / 60:.0f} minutes. {facts}."


def _goals(verdicts: Sequence[Verdict]) -> str:
    rows = [
        (
            verdict.goal.title,
            f"{verdict.goal.bound} {number(verdict.goal.limit)} {verdict.goal.unit}",
            NOT_MEASURED if verdict.measured is None else number(verdict.measured),
            {True: "yes", False: "**no**", None: "not measured"}[verdict.met],
        )
        for verdict in verdicts
    ]
    return _titled("Goals", markdown(("figure", "goal", "measured", "met"), rows))


def _targets(results: Results) -> str:
    rows = [
        (f"{name} {result.version}".strip(), result.does, with_range(spread(result.start_s)))
        for name, result in results.targets.items()
    ]
    return _titled("What is compared", markdown(("target", "what it does for a request", "start, s"), rows))


def _scenario(results: Results, scenario: Scenario) -> str:
    rows = []
    for name in results.targets:
        runs = results.targets[name].measurements.get(scenario.name)
        if runs:
            rows.append((name, *_cells(results, name, scenario, runs)))
    unit = "event" if scenario.stream else "request"
    heads = ["target", f"CPU us per {unit}", f"x {REFERENCE}"]
    heads += ["event delay p50 / p99, ms", "events/s"] if scenario.stream else ["p50 / p99, ms", "requests/s"]
    return _titled(scenario.title, markdown([*heads, "cores used", "failed"], rows))


def _cells(results: Results, name: str, scenario: Scenario, runs: Sequence[Measurement]) -> list[str]:
    def cpu(measurement: Measurement) -> float | None:
        return measurement.cpu_us_per_event if scenario.stream else measurement.cpu_us_per_request

    def told(figure: Figure) -> ByRound:
        return by_round(results, name, scenario.name, figure)

    def middle(figure: Figure) -> str:
        found = spread(list(told(figure).values()))
        return number(found.median) if found else NOT_MEASURED

    own = told(cpu)
    times = (
        NOT_MEASURED if name == "direct" else with_range(ratio(own, by_round(results, REFERENCE, scenario.name, cpu)))
    )
    if scenario.stream:
        times_ms = f"{middle(lambda m: m.load.lag_p50_us / 1e3)} / {middle(lambda m: m.load.lag_p99_us / 1e3)}"
        rate = middle(lambda m: m.load.chunks_per_s)
    else:
        times_ms = f"{middle(lambda m: m.load.p50_us / 1e3)} / {middle(lambda m: m.load.p99_us / 1e3)}"
        rate = middle(lambda m: m.load.rps)
    failed = sum(run.load.err + (run.load.incomplete if scenario.stream else 0) for run in runs)
    return [
        with_range(spread(list(own.values()))),
        times,
        times_ms,
        rate,
        middle(lambda m: m.cores),
        str(failed),
    ]


def _capacity(results: Results) -> str:
    rows = []
    for name, result in results.targets.items():
        if result.capacities:
            top = [max((x.cores for x in c.levels if x.carried), default=0.0) for c in result.capacities]
            streams = spread([float(c.streams) for c in result.capacities])
            rows.append((name, with_range(streams), with_range(spread(top))))
    title = "Streams paced at 10 ms that one core carries, 99 % of events within 20 ms"
    return _titled(title, markdown(("target", "streams", "cores used there"), rows))


def _memory(results: Results) -> str:
    rows = [
        (name, number(m.base_kb / 1024), number(m.kb_per_stream), str(m.streams), number(m.open_kb / 1024))
        for name, m in ((name, result.memory) for name, result in results.targets.items())
        if m is not None
    ]
    heads = ("target", "nothing open, MB", "kB per open stream", "streams open", "with them, MB")
    return _titled("Memory (PSS)", markdown(heads, rows))


def _ledger(results: Results) -> str:
    rows = [
        (name, str(c.round + 1), f"{c.sent:,}", f"{c.answered:,}", f"{c.entries:,}", f"{c.priced:,}",
         "yes" if c.complete else "**no: the run is void**")
        for name, result in results.targets.items()
        for c in result.ledger
    ]  # fmt: skip
    heads = ("target", "round", "sent", "answered", "entries", "complete and priced", "all on record")
    return _titled("The ledger beside what the clients counted", markdown(heads, rows))


def _troubles(results: Results) -> str:
    lines = [f"- {name} was left out: {reason}" for name, reason in results.skipped.items()]
    for name, result in results.targets.items():
        lines += _troubles_of(name, result)
    return "### What failed\n\n" + "\n".join(lines) if lines else ""


def _troubles_of(name: str, result: TargetResult) -> list[str]:
    lines = [f"- {name}: {' '.join(failure.split())[:500]}" for failure in result.failures]
    if result.streams_whole is False:
        lines.append(f"- {name}: its streams did not arrive whole (events, usage, end mark)")
    told = {m.load.error for runs in result.measurements.values() for m in runs if m.load.error}
    return lines + [f"- {name} answered: {error[:200]}" for error in sorted(told)]
