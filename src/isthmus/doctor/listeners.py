"""What this machine tells of itself: listening sockets with their owners, processes, addresses.

On Linux from `/proc`, which tells owners only of one's own processes, or to root. Elsewhere nothing is told, and
what listens is found by asking alone.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"
"""State of a socket that listens, in `/proc/net/tcp` (linux/include/net/tcp_states.h)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A programme that runs."""

    pid: int
    name: str
    """As the kernel has it: the first 15 characters of the programme's name."""
    arguments: tuple[str, ...]
    """Its command line. May hold secrets: never shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A socket that takes connections."""

    address: str
    port: int
    owner: Process | None
    """None: not ours to know."""

    @property
    def anywhere(self) -> bool:
        """Whether it takes connections at every address of this machine."""
        return ipaddress.ip_address(self.address).is_unspecified

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback


def processes(proc: Path) -> tuple[Process, ...]:
    """The processes that can be seen, by number."""
    found = []
    for folder in _numbered(proc):
        try:
            name = (folder / "comm").read_text(errors="replace").strip()
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        found.append(Process(pid=int(folder.name), name=name, arguments=tuple(line.rstrip("\0").split("\0"))))
    return tuple(found)


def environment(proc: Path, pid: int) -> Mapping[str, str]:
    """The environment that a process was started with; empty where it is not ours to know."""
    try:
        text = (proc / str(pid) / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(part.split("=", 1) for part in text.split("\0") if "=" in part)


def listeners(proc: Path) -> tuple[Listener, ...] | None:
    """What listens, by port; None: the system does not tell."""
    found: list[tuple[str, int, str]] = []
    told = False
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()
        except OSError:
            continue
        told = True
        found += _listening(lines)
    if not told:
        return None
    owners = _owners(proc, {inode for _, _, inode in found})
    known = {Listener(address=address, port=port, owner=owners.get(inode)) for address, port, inode in found}
    return tuple(sorted(known, key=lambda listener: (listener.port, listener.address)))


def own_addresses() -> tuple[str, ...]:
    """The addresses of this machine that others may reach it by: not loopback, not link-local."""
    found = []
    for table, make in (("/proc/net/fib_trie", _ipv4_of), ("/proc/net/if_inet6", _ipv6_of)):
        try:
            found += make(Path(table).read_text())
        except OSError:
            continue
    if not found:
        try:
            told = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
        except OSError:
            told = []
        found = [str(address[4][0]).partition("%")[0] for address in told]
    usable = [address for address in dict.fromkeys(found) if _reachable(address)]
    return tuple(usable)


def _reachable(address: str) -> bool:
    known = ipaddress.ip_address(address)
    return not (known.is_loopback or known.is_link_local or known.is_unspecified or known.is_multicast)


def _ipv4_of(trie: str) -> list[str]:
    """The addresses of this machine in `/proc/net/fib_trie`: leaves of which the next line says `/32 host LOCAL`."""
    return re.findall(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", trie)


def _ipv6_of(table: str) -> list[str]:
    words = (line.split()[0] for line in table.splitlines() if line.strip())
    return [str(ipaddress.IPv6Address(int(word, 16))) for word in words]


def _listening(lines: list[str]) -> Iterator[tuple[str, int, str]]:
    """Address, port and inode of the sockets that listen, from `/proc/net/tcp` or `tcp6`."""
    for line in lines[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == _LISTEN:
            address, _, port = words[1].partition(":")
            yield _address(address), int(port, 16), words[9]


def _address(text: str) -> str:
    """An address as the kernel prints it: words of 32 bits in the byte order of the machine."""
    words = struct.pack(f"={len(text) // 8}I", *(int(text[place : place + 8], 16) for place in range(0, len(text), 8)))
    address = ipaddress.ip_address(words)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _owners(proc: Path, inodes: set[str]) -> Mapping[str, Process]:
    """The process that holds each socket, by the socket's inode."""
    owners: dict[str, Process] = {}
    for process in processes(proc):
        for link in _links(proc / str(process.pid) / "fd"):
            inode = link.removeprefix("socket:[").removesuffix("]")
            if link.startswith("socket:[") and inode in inodes:
                owners.setdefault(inode, process)
    return owners


def _links(folder: Path) -> Iterator[str]:
    """Where the links in a folder lead; those that vanish meanwhile, and those that are not ours to know, nowhere."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            yield os.readlink(folder / name)


def _numbered(proc: Path) -> list[Path]:
    try:
        return sorted((entry for entry in proc.iterdir() if entry.name.isdigit()), key=lambda entry: int(entry.name))
    except OSError:
        return []
