"""FS-1, FS-3: files that others may read or change, folders that are copied elsewhere."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.doctor.scenes import Machine, found, offer, severities

from isthmus.domain.offer import SecretRef


def put(path: Path, mode: int) -> Path:
    path.write_text("x")
    path.chmod(mode)
    return path


def test_a_closed_state_folder_is_fine_whatever_is_in_it(shared_machine: Machine) -> None:
    put(shared_machine.state / "isthmus.db", 0o644)
    assert found("FS-1", shared_machine.scene()) == []


@pytest.mark.parametrize(("mode", "severity"), [(0o755, "high"), (0o770, "high"), (0o777, "critical")])
def test_an_open_state_folder_is_told_and_closed(shared_machine: Machine, mode: int, severity: str) -> None:
    shared_machine.state.chmod(mode)
    put(shared_machine.state / "isthmus.db", 0o600)
    scene = shared_machine.scene()
    (finding,) = found("FS-1", scene)
    assert severities("FS-1", scene) == [severity]
    assert finding.fix is not None
    assert finding.fix.says == f"chmod 700 {shared_machine.state}"
    finding.fix.apply()
    assert found("FS-1", shared_machine.scene()) == []


def test_in_a_folder_for_the_group_only_the_group_counts(shared_machine: Machine) -> None:
    shared_machine.state.chmod(0o750)
    put(shared_machine.state / "isthmus.db", 0o604)
    put(shared_machine.state / "lineage.db", 0o666)
    _, files = found("FS-1", shared_machine.scene())
    assert files.found == "Of the state folder, lineage.db may be changed by the group."


def test_open_files_in_an_open_state_folder_are_told_together(shared_machine: Machine) -> None:
    shared_machine.state.chmod(0o711)
    for name in ("isthmus.db", "installation.key", "lineage.db"):
        put(shared_machine.state / name, 0o640)
    _, finding = found("FS-1", shared_machine.scene())
    assert "installation.key, isthmus.db, lineage.db may be read" in finding.found
    assert finding.fix is not None
    finding.fix.apply()
    assert (shared_machine.state / "isthmus.db").stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_state_folder_is_left_alone(shared_machine: Machine) -> None:
    shared_machine.state.chmod(0o711)
    other = put(shared_machine.folder / "other", 0o644)
    (shared_machine.state / "link").symlink_to(other)
    (finding,) = found("FS-1", shared_machine.scene())
    assert finding.fix is not None
    finding.fix.apply()
    assert other.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("mode", "severity"), [(0o666, "critical"), (0o620, "high")])
def test_settings_that_others_may_change_are_told_and_closed(shared_machine: Machine, mode: int, severity: str) -> None:
    shared_machine.config.chmod(mode)
    scene = shared_machine.scene()
    assert severities("FS-1", scene) == [severity]
    (finding,) = found("FS-1", scene)
    assert finding.fix is not None
    finding.fix.apply()
    assert {"critical", "high"}.isdisjoint(severities("FS-1", shared_machine.scene()))


def test_settings_that_others_may_read_are_worth_knowing_and_left_so(shared_machine: Machine) -> None:
    """isthmus itself may be one of the others."""
    shared_machine.config.chmod(0o644)
    (finding,) = found("FS-1", shared_machine.scene())
    assert (finding.severity, finding.fix) == ("info", None)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_told_and_left_so(shared_machine: Machine) -> None:
    secret = put(shared_machine.folder / "openai.key", 0o644)
    os.chown(shared_machine.state, 4711, -1)
    one = offer(key=SecretRef("file", str(secret)))
    (finding,) = found("FS-1", shared_machine.scene(settings=shared_machine.settings(one)))
    assert finding.fix is None


def test_settings_in_a_folder_where_anybody_may_replace_them_are_told(shared_machine: Machine) -> None:
    os.chmod(shared_machine.folder, 0o777)
    assert severities("FS-1", shared_machine.scene()) == ["critical"]
    os.chmod(shared_machine.folder, 0o1777)
    assert found("FS-1", shared_machine.scene()) == []


def test_the_file_of_a_key_that_others_may_read_is_told(shared_machine: Machine) -> None:
    secret = put(shared_machine.folder / "openai.key", 0o644)
    one = offer(key=SecretRef("file", str(secret)))
    scene = shared_machine.scene(settings=shared_machine.settings(one))
    assert [finding.subject for finding in found("FS-1", scene)] == [str(secret)]
    secret.chmod(0o600)
    assert found("FS-1", scene) == []


def test_a_ledger_elsewhere_is_looked_at_and_its_neighbours_are_not(shared_machine: Machine) -> None:
    put(shared_machine.folder / "mine.txt", 0o644)
    elsewhere = shared_machine.folder / "data"
    elsewhere.mkdir(mode=0o755)
    put(elsewhere / "ledger.db", 0o644)
    put(elsewhere / "report.pdf", 0o644)
    settings = shared_machine.settings()
    moved = replace(settings, store=replace(settings.store, url=f"sqlite:///{elsewhere / 'ledger.db'}"))
    assert [finding.subject for finding in found("FS-1", shared_machine.scene(settings=moved))] == [
        str(elsewhere / "ledger.db")
    ]


def test_below_a_folder_that_is_closed_nothing_is_open(machine: Machine) -> None:
    """pytest's own folder is closed to others."""
    machine.state.chmod(0o777)
    machine.config.chmod(0o666)
    assert found("FS-1", machine.scene()) == []


@pytest.mark.parametrize(
    ("folder", "service"),
    [
        ("Dropbox", "Dropbox"),
        ("OneDrive - Example Ltd", "OneDrive"),
        ("Mobile Documents/com~apple~CloudDocs", "iCloud"),
        ("Google Drive", "Google Drive"),
        ("Nextcloud", "Nextcloud"),
    ],
)
def test_state_in_a_folder_that_is_copied_is_told(machine: Machine, folder: str, service: str) -> None:
    state = machine.folder / folder / "isthmus"
    state.mkdir(parents=True)
    (finding,) = found("FS-3", machine.scene(state_dir=state))
    assert service in finding.found


def test_a_mark_of_the_service_tells_as_well(machine: Machine) -> None:
    (machine.folder / ".stfolder").mkdir()
    assert {finding.subject for finding in found("FS-3", machine.scene())} == {
        str(machine.state),
        str(machine.store),
        str(machine.config),
    }
    assert "Syncthing" in found("FS-3", machine.scene())[0].found


@pytest.mark.parametrize("folder", ["dropbox-tools", "Documents", ".dropbox"])
def test_other_folders_are_not_copied(machine: Machine, folder: str) -> None:
    (machine.folder / folder).mkdir()
    assert found("FS-3", machine.scene(state_dir=machine.folder / "state")) == []
