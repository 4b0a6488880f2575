"""Makes the checks. Those that ask the network run beside each other, each with a deadline: none holds the rest up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import Thread
from time import monotonic

from isthmus.doctor.check import SEVERITIES, Check, Finding
from isthmus.doctor.exposure import survey
from isthmus.doctor.registry import FAMILIES
from isthmus.doctor.report import NotMade, Report, Told
from isthmus.doctor.scene import Scene
from isthmus.domain.errors import IsthmusError

DEADLINE_SECONDS = 30.0
"""For each check that asks the network. What it asks has shorter ones of its own: this is for what nobody foresaw."""

_Outcome = tuple[Finding, ...] | str
"""What a check found, or why it could not be made."""


def examine(scene: Scene, checks: Sequence[Check], *, deadline: float = DEADLINE_SECONDS) -> Report:
    """Make the checks.

    Args:
        scene: what they look at.
        checks: to be made.
        deadline: seconds for each check that asks the network.
    """
    asking = [check for check in checks if check.asks_network]
    outcomes: dict[str, _Outcome] = {}
    # Not a pool: its threads would be waited for at the end of the programme, also those that hang.
    threads = {
        check.id: Thread(target=_make, args=(check, scene, outcomes), daemon=True, name=check.id) for check in asking
    }
    for thread in threads.values():
        thread.start()
    end = monotonic() + deadline
    for check in checks:
        if not check.asks_network:
            _make(check, scene, outcomes)
    for thread in threads.values():
        thread.join(max(0.0, end - monotonic()))
    return _report(scene, checks, dict(outcomes), deadline)


def _make(check: Check, scene: Scene, outcomes: dict[str, _Outcome]) -> None:
    try:
        outcomes[check.id] = tuple(check.look(scene))
    except IsthmusError as error:
        outcomes[check.id] = error.sentence
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        outcomes[check.id] = f"{error.strerror or type(error).__name__}{where}"
    except Exception as error:  # a fault in one check must not keep the others from being told
        outcomes[check.id] = f"the check itself failed, which is a fault of isthmus: {type(error).__name__}"


def _report(scene: Scene, checks: Iterable[Check], outcomes: Mapping[str, _Outcome], deadline: float) -> Report:
    findings: list[Told] = []
    not_made: list[NotMade] = []
    passed: list[Check] = []
    for check in checks:
        outcome = outcomes.get(check.id, f"it was not done after {deadline:.0f} s")
        if isinstance(outcome, str):
            not_made.append(NotMade(check=check, reason=outcome))
        elif outcome:
            findings += (Told(check=check, finding=finding) for finding in outcome)
        else:
            passed.append(check)
    # What keeps the settings from being read comes first: it is why other checks found nothing.
    findings.sort(key=lambda told: (told.check.id != "OP-5", -SEVERITIES.index(told.severity), _place(told.check)))
    asked = any(check.asks_network and check.family == "network" and check.id in outcomes for check in checks)
    return Report(
        findings=tuple(findings),
        not_made=tuple(not_made),
        passed=tuple(passed),
        exposure=survey(scene) if asked else None,
    )


def _place(check: Check) -> tuple[int, str]:
    return FAMILIES.index(check.family), check.id
