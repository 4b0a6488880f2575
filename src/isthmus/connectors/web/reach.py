"""Where a host really is, and whether it may be connected to.

A name is looked up once, every address found is checked, and the connection is made to one of these addresses, so that
a name that is looked up twice cannot lead to two places (DNS rebinding). Machines of the user's own network are reached
only where the account names them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

from isthmus.connectors.web.addresses import is_public
from isthmus.domain.errors import ToolError

LookUp = Callable[[str, int], Sequence[str]]
"""The IP addresses of a host.

Raises:
    OSError: there are none.
"""


def look_up(host: str, port: int) -> list[str]:
    """The IP addresses of a host, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Reach:
    """Which hosts may be connected to, and at which IP addresses."""

    def __init__(self, *, allow: frozenset[str] = frozenset(), look_up: LookUp = look_up) -> None:
        """Make one.

        Args:
            allow: hosts, `host` or `host:port`, that may be reached though they are not on the open internet.
            look_up: how names are looked up.
        """
        self._allow = allow
        self._look_up = look_up

    def allows(self, host: str, port: int) -> bool:
        """Whether the account itself names this host as one of the user's own."""
        return host in self._allow or f"{host}:{port}" in self._allow

    def addresses(self, host: str, port: int) -> list[str]:
        """The IP addresses to connect to. Waits for the name service.

        Raises:
            ToolError: there are none, or not all of them may be reached.
        """
        try:
            found = self._look_up(host, port)
        except (OSError, UnicodeError) as error:
            raise ToolError(f"There is no host {host}.") from error
        if not found:
            raise ToolError(f"There is no host {host}.")
        if not self.allows(host, port) and not all(is_public(ipaddress.ip_address(one)) for one in found):
            raise ToolError(
                f"{host} is not on the open internet, and such hosts are not reached.",
                hint="The user can name hosts of their own, as `allow` in the settings of the account.",
            )
        return list(found)
