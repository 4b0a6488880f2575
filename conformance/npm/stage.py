"""isthmus, as its users run it, before a stand-in for each vendor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.stand_in import serving
from tests.system.process import Isthmus, running

from conformance.npm.vendors import VENDORS, Playing, address

_OFFER = """
[offers.{name}]
provider = "{provider}"
model = "{model}"
url = "{url}"
key = "env:{secret}"
price = {{ input = 1, output = 5, cached = 0.1 }}
deadlines = {{ first_byte = 10 }}
"""


@dataclass(frozen=True, kw_only=True)
class Served:
    """An offer of the stage. Its name is the model that clients ask for."""

    name: str
    vendor: str
    provider: str
    model: str


SERVED = (
    Served(name="to-openai", vendor="openai", provider="openai", model="gpt-5.4-mini"),
    # Speaks chat completions and nothing else, as most servers of open models do.
    Served(name="to-chat", vendor="openai", provider="openai-compatible", model="gpt-5.4-mini"),
    Served(name="to-anthropic", vendor="anthropic", provider="anthropic", model="claude-haiku-5-5"),
    Served(name="to-gemini", vendor="gemini", provider="gemini", model="gemini-3.8-flash"),
    Served(name="embed-openai", vendor="openai", provider="openai", model="text-embedding-3-small"),
    Served(name="embed-gemini", vendor="gemini", provider="gemini", model="gemini-embedding-001"),
)
VENDOR_OF = {served.name: served.vendor for served in SERVED}


@dataclass
class Stage:
    """A running gateway, and the stand-ins by the name of the vendor."""

    isthmus: Isthmus
    vendors: dict[str, Playing]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.isthmus.port}"

    def rejected(self) -> list[str]:
        """Requests of isthmus that a vendor would have refused, and why."""
        return [f"{name}: {why}" for name, vendor in self.vendors.items() for why in vendor.rejected]


def _secret(vendor: str) -> str:
    return f"{vendor.upper()}_SECRET"


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Start it all, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    vendors: dict[str, Playing] = {}
    environment: dict[str, str] = {}
    settings = ""
    with ExitStack() as stack:
        for name, (kind, key) in VENDORS.items():
            vendors[name] = stack.enter_context(serving(kind()))
            environment[_secret(name)] = key
        for served in SERVED:
            settings += _OFFER.format(
                name=served.name,
                provider=served.provider,
                model=served.model,
                url=address(served.vendor, vendors[served.vendor]),
                secret=_secret(served.vendor),
            )
        isthmus = stack.enter_context(running(Isthmus(folder, settings, environment=environment)))
        yield Stage(isthmus, vendors)
