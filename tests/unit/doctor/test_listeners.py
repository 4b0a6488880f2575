"""What the system tells of processes and listeners."""

import os
import socket
from pathlib import Path

import pytest
from tests.unit.doctor.scenes import Machine

from isthmus.doctor.listeners import environment, listeners, own_addresses, processes

linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the system does not tell")


@linux
def test_a_real_listener_is_found_with_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = (one for one in listeners(Path("/proc")) or () if one.port == port)
    assert (found.address, found.is_loopback, found.anywhere) == ("127.0.0.1", True, False)
    assert found.owner is not None
    assert found.owner.pid == os.getpid()


@linux
def test_a_real_listener_on_ipv6_is_found() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        (found,) = (one for one in listeners(Path("/proc")) or () if one.port == port)
    assert found.address == "::1"


def test_a_system_that_tells_nothing_is_told_from_one_where_nothing_listens(machine: Machine, tmp_path: Path) -> None:
    assert listeners(tmp_path / "nowhere") is None
    assert listeners(machine.proc) is None
    machine.listener("0.0.0.0", 80)
    (found,) = listeners(machine.proc) or ()
    assert (found.address, found.port, found.anywhere, found.owner) == ("0.0.0.0", 80, True, None)


def test_processes_and_what_they_were_started_with_are_read(machine: Machine) -> None:
    machine.process(12, "a-name-longer-than-fifteen", "prog", "--flag", environ={"A": "1=2"})
    (process,) = processes(machine.proc)
    assert (process.pid, process.name, process.arguments) == (12, "a-name-longer-t", ("prog", "--flag"))
    assert environment(machine.proc, 12) == {"A": "1=2"}
    assert environment(machine.proc, 13) == {}


def test_own_addresses_are_those_that_others_reach() -> None:
    assert not any(address.startswith(("127.", "fe80", "169.254.")) or address == "::1" for address in own_addresses())
