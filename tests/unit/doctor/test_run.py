"""The examination as a whole."""

import time
from collections.abc import Iterable

import pytest
from tests.unit.doctor import engine_servers as engines
from tests.unit.doctor.engine_servers import serving
from tests.unit.doctor.scenes import Machine

from isthmus.doctor.check import SEVERITIES, Check, Finding, Look, Severity
from isthmus.doctor.registry import FAMILIES, all_checks, checks_named
from isthmus.doctor.run import examine
from isthmus.doctor.scene import Scene
from isthmus.domain.errors import ConfigError, LedgerError


def check(name: str, look: Look, *, severity: Severity = "warn", asks_network: bool = False) -> Check:
    return Check(
        id=name,
        family="network",
        title=name,
        severity=severity,
        why="why",
        remedy="do",
        look=look,
        asks_network=asks_network,
    )


def finds(*severities: Severity | None) -> Look:
    def look(scene: Scene, /) -> Iterable[Finding]:
        return [Finding(subject=str(severity), found="it", severity=severity) for severity in severities]

    return look


def fails(error: Exception) -> Look:
    def look(scene: Scene, /) -> Iterable[Finding]:
        yield Finding(subject="s", found="half of it")
        raise error

    return look


def test_findings_come_gravest_first(machine: Machine) -> None:
    checks = [check("A-1", finds("info", None, "critical")), check("A-2", finds(None), severity="high")]
    report = examine(machine.scene(), checks)
    assert [told.severity for told in report.findings] == ["critical", "high", "warn", "info"]
    assert report.grave


def test_what_keeps_the_settings_from_being_read_comes_first_of_all(machine: Machine) -> None:
    scene = machine.scene(settings=None, problem=ConfigError("is not TOML"))
    report = examine(scene, [check("A-1", finds("critical")), *checks_named(["OP-5"])])
    assert [told.check.id for told in report.findings] == ["OP-5", "A-1"]


def test_warnings_alone_are_not_grave(machine: Machine) -> None:
    assert not examine(machine.scene(), [check("A-1", finds("warn", "info"))]).grave


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LedgerError("The store is of a newer version."), "The store is of a newer version."),
        (PermissionError(13, "Permission denied", "/etc/shadow"), "Permission denied: /etc/shadow"),
        (KeyError("sk-some-secret"), "the check itself failed, which is a fault of isthmus: KeyError"),
    ],
)
def test_a_check_that_cannot_be_made_says_nothing_else_and_keeps_no_other_from_it(
    machine: Machine, error: Exception, reason: str
) -> None:
    report = examine(machine.scene(), [check("A-1", fails(error)), check("A-2", finds()), check("A-3", finds(None))])
    assert [(one.check.id, one.reason) for one in report.not_made] == [("A-1", reason)]
    assert [one.id for one in report.passed] == ["A-2"]
    assert [told.check.id for told in report.findings] == ["A-3"]


def test_a_check_that_hangs_is_not_waited_for(machine: Machine) -> None:
    def hang(scene: Scene, /) -> Iterable[Finding]:
        time.sleep(2)
        return ()

    began = time.monotonic()
    report = examine(machine.scene(), [check("A-1", hang, asks_network=True)], deadline=0.1)
    assert time.monotonic() - began < 1
    assert [one.check.id for one in report.not_made] == ["A-1"]


def test_what_answers_is_told_also_where_nothing_is_wrong(machine: Machine) -> None:
    with serving(engines.LLAMA_CPP_WITH_KEY) as served:
        report = examine(machine.scene(ports={"llama-cpp": served.port}), checks_named(["network"]))
    assert report.findings == ()
    assert report.exposure is not None
    assert [(answer.engine, answer.is_open) for answer in report.exposure] == [("llama-cpp", False)]
    plain = report.as_plain()
    assert plain["exposure"][0]["open"] is False  # type: ignore[index]  # it is a list of dictionaries


def test_where_no_check_asks_nothing_is_asked(machine: Machine) -> None:
    with serving(engines.OLLAMA) as served:
        report = examine(machine.scene(ports={"ollama": served.port}), checks_named(["files", "AUTH-1"]))
    assert served.asked == []
    assert report.exposure is None


def test_a_machine_with_nothing_wrong_passes_every_check(machine: Machine) -> None:
    ours = [one for one in all_checks() if one.family in {"network", "keys", "files", "operation"}]
    report = examine(machine.scene(), ours)
    assert [(told.check.id, told.severity) for told in report.findings] == [("AUTH-1", "info")]
    assert report.not_made == ()


def test_checks_have_ids_of_their_own_and_say_why_and_what_to_do() -> None:
    for one in all_checks():
        assert one.title
        assert one.why.endswith(".")
        assert one.remedy.endswith(".")
        assert one.severity in SEVERITIES
        assert one.family in FAMILIES


def test_checks_are_named_by_id_or_family_and_others_are_refused() -> None:
    assert [one.id for one in checks_named(["net-1", "KEYS"])][:2] == ["NET-1", "AUTH-1"]
    with pytest.raises(ConfigError, match="neither a check nor a family"):
        checks_named(["NET-99"])
