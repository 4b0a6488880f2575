from pathlib import Path

from isthmus.providers.embedded.machine import memory, this_machine

GB = 1_000_000_000


def proc(folder: Path, cgroup: str) -> Path:
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text("MemTotal:  16000000 kB\nMemFree:  1000000 kB\nMemAvailable:  8000000 kB\n")
    (folder / "self" / "cgroup").write_text(cgroup)
    return folder


def limit(folder: Path, maximum: str, current: int, names: tuple[str, str] = ("memory.max", "memory.current")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{maximum}\n")
    (folder / names[1]).write_text(f"{current}\n")


def test_without_limits_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    limit(tmp_path / "cg" / "user", "max", 5)
    told = memory(proc(tmp_path / "proc", "0::/user\n"), tmp_path / "cg")
    assert told == (16_000_000 * 1024, 8_000_000 * 1024)


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    limit(tmp_path / "cg" / "outer", str(4 * GB), 1 * GB)
    limit(tmp_path / "cg" / "outer" / "inner", str(6 * GB), 0)
    told = memory(proc(tmp_path / "proc", "0::/outer/inner\n"), tmp_path / "cg")
    assert told == (4 * GB, 3 * GB)


def test_inside_a_container_the_limit_at_the_root_of_the_mount_counts(tmp_path: Path) -> None:
    limit(tmp_path / "cg", str(2 * GB), 3 * GB)
    told = memory(proc(tmp_path / "proc", "0::/docker/0123\n"), tmp_path / "cg")
    assert told == (2 * GB, 0)


def test_version_one_of_control_groups_is_understood(tmp_path: Path) -> None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    limit(tmp_path / "cg" / "memory" / "job", str(5 * GB), 1 * GB, names)
    told = memory(proc(tmp_path / "proc", "4:cpu,cpuacct:/job\n3:memory:/job\n"), tmp_path / "cg")
    assert told == (5 * GB, 4 * GB)


def test_this_machine_reads_memory_at_a_plausible_speed() -> None:
    machine = this_machine()
    assert 0 < machine.memory_available <= machine.memory_total
    assert machine.cores >= 1
    assert 1e9 < machine.read_bandwidth < 1e13
