"""Results with chosen figures."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results import LoadReport, Measurement, Results, TargetResult


def load(
    *,
    rps: float = 1000.0,
    events: float = 0.0,
    p50_us: float = 100.0,
    lag_us: float = 0.0,
    err: int = 0,
    error: str = "",
) -> LoadReport:
    return LoadReport(
        ok=1000,
        err=err,
        sent=1010,
        answered=1000,
        incomplete=0,
        rps=rps,
        p50_us=p50_us,
        p99_us=2 * p50_us,
        ttfb_p50_us=p50_us,
        chunks_per_s=events,
        lag_p50_us=lag_us,
        lag_p99_us=2 * lag_us,
        error=error,
    )


def runs(cores: Sequence[float], report: LoadReport) -> list[Measurement]:
    """One measurement a round, at the given share of a core."""
    return [Measurement(round=n, load=report, cores=share, pss_kb=50_000) for n, share in enumerate(cores)]


def results(**targets: TargetResult) -> Results:
    """Targets by name; an underscore stands for a hyphen."""
    return Results(
        machine={"cpu": "test"},
        began="2026-01-01T00:00+00:00",
        rounds=2,
        seconds=1.0,
        targets={name.replace("_", "-"): result for name, result in targets.items()},
    )


def target(**scenarios: list[Measurement]) -> TargetResult:
    return TargetResult(does="answers", version="1.0", measurements=dict(scenarios))
