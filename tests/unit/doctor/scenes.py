"""States of a machine: a scene in which nothing is wrong, and what changes it."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.claim import Claim, Source
from isthmus.catalog.listing import Listing, Snapshot
from isthmus.catalog.records.offer import OfferRecord, Region
from isthmus.catalog.records.provider import ProviderRecord
from isthmus.catalog.records.terms import Retention, TermsRecord, TrainingTerms
from isthmus.doctor.check import Finding
from isthmus.doctor.registry import all_checks
from isthmus.doctor.scene import Scene
from isthmus.domain.offer import Offer, Workload
from isthmus.domain.principal import Key
from isthmus.perimeter.policy import Policy
from isthmus.settings.values import CatalogSettings, PerimeterSettings, Server, Settings, Store

TODAY = date(2026, 11, 21)


def found(check: str, scene: Scene) -> list[Finding]:
    """What one check finds."""
    (one,) = (known for known in all_checks() if known.id == check)
    return list(one.look(scene))


def severities(check: str, scene: Scene) -> list[str]:
    (one,) = (known for known in all_checks() if known.id == check)
    return [finding.severity or one.severity for finding in one.look(scene)]


@dataclass
class Machine:
    """A folder that stands for a machine, closed to others but not hidden below a folder that is."""

    folder: Path
    proc: Path = field(init=False)
    _inode: int = 1000

    def __post_init__(self) -> None:
        self.proc = self.folder / "proc"
        self.proc.mkdir()
        self.state.mkdir(mode=0o700)
        self.config.write_text("# nothing\n")
        self.config.chmod(0o600)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "isthmus.toml"

    @property
    def store(self) -> Path:
        return self.state / "isthmus.db"

    def process(
        self,
        pid: int,
        name: str,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        listens: Iterable[tuple[str, int]] = (),
    ) -> None:
        """A process that runs, as `/proc` tells it, with the sockets it listens on."""
        home = self.proc / str(pid)
        (home / "fd").mkdir(parents=True)
        (home / "comm").write_text(f"{name[:15]}\n")
        (home / "cmdline").write_text("".join(f"{word}\0" for word in arguments or (name,)))
        (home / "environ").write_text("".join(f"{key}={value}\0" for key, value in (environ or {}).items()))
        for number, (address, port) in enumerate(listens):
            self._inode += 1
            (home / "fd" / str(number + 3)).symlink_to(f"socket:[{self._inode}]")
            self.listener(address, port, inode=self._inode)

    def listener(self, address: str, port: int, *, inode: int = 1) -> None:
        """A line of `/proc/net/tcp`: IPv4, in the byte order of the machine."""
        table = self.proc / "net" / "tcp"
        if not table.exists():
            table.parent.mkdir()
            table.write_text("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n")
        word = int.from_bytes(bytes(int(part) for part in address.split(".")), "little")
        with table.open("a") as file:
            file.write(
                f"   0: {word:08X}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 {inode} 1\n"
            )

    def scene(self, **changes: Any) -> Scene:
        """A scene in which nothing is wrong, but for the changes."""
        values: dict[str, Any] = {
            "today": TODAY,
            "environ": {},
            "config_file": self.config,
            "settings": self.settings(),
            "problem": None,
            "catalog": catalog(),
            "state_dir": self.state,
            "cache_dir": self.folder / "cache",
            "addresses": ("127.0.0.1",),
            "ports": {},
            "site_packages": (),
            "folders": (),
            "proc": self.proc,
        }
        return Scene(**(values | changes))

    def settings(self, *offers: Offer, bind: str = "127.0.0.1", port: int = 0, keys: Iterable[Key] = ()) -> Settings:
        workloads = {"work": Workload(name="work", offers=tuple(offer.name for offer in offers))}
        return Settings(
            server=Server(host=bind, port=port),
            store=Store(url=f"sqlite:///{self.store}"),
            offers={offer.name: offer for offer in offers},
            workloads=workloads,
            policy=Policy(),
            perimeter=PerimeterSettings(),
            keys={key.hash: key for key in keys},
            default_workload="work",
            version="0" * 16,
            source=self.config,
            notes=(),
            cache_dir=self.folder / "cache",
            state_dir=self.state,
            catalog=CatalogSettings(updates=self.state / "catalog"),
            manifest="0" * 16,
        )


@contextmanager
def machine_below_open_folders() -> Iterator[Machine]:
    """pytest's own folder is closed to others, and hides what is in it from them: modes would not matter there."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Machine(Path(name))


def offer(name: str = "gpt", **changes: Any) -> Offer:
    values: dict[str, Any] = {
        "name": name,
        "model": "gpt-5",
        "provider": "openai",
        "dialect": "openai-chat",
        "base_url": "https://api.openai.com/v1",
        "side": "closed",
    }
    return Offer(**(values | changes))


def catalog(*, retires_on: tuple[date, ...] = (), read_on: date = TODAY, volatility: Any = "medium") -> Catalog:
    """A catalog of one provider, its terms, two regional offers, one listed model."""
    sources = {"page": Source(url="https://example.test/terms", kind="vendor_doc", observed_on=read_on)}

    def known(value: Any) -> Claim[Any]:
        return Claim(value=value, state="declared", sources=("page",), evidence="E1", volatility=volatility)

    def regional(place: str, host: str) -> OfferRecord:
        return OfferRecord(
            id=f"openai/direct/{place.lower()}",
            title=place,
            sources=sources,
            provider="openai",
            service="openai",
            side="closed",
            hosts=(host,),
            terms="openai/api",
            region=Region(processing=known((place,))),
        )

    offers = [regional("US", "api.openai.com"), regional("EU", "eu.api.openai.com")]
    end: Claim[date] = Claim()
    if retires_on:
        first, *others = retires_on
        end = Claim(value=first, state="declared", sources=("page",), evidence="E1")
        if others:
            end = Claim(
                value=first,
                state="conflict",
                sources=("page",),
                evidence="E1",
                alternatives=tuple(_other(day) for day in others),
            )
    terms = TermsRecord(
        id="openai/api",
        title="API",
        sources=sources,
        provider="openai",
        tier="api",
        url="https://example.test/terms",
        training=TrainingTerms(default=known("never")),
        retention=Retention(default_days=known(30)),
    )
    listing = Listing(provider="openai", api_id="gpt-5", retires_on=end, replacement=known("gpt-5.4-mini"))
    return Catalog(
        version="0" * 16,
        models={},
        licences={},
        providers={"openai": ProviderRecord(id="openai", title="OpenAI", services=("openai",))},
        offers={record.id: record for record in offers},
        terms={terms.id: terms},
        snapshot=Snapshot(made_on=TODAY, sources=sources, listings=(listing,)),
    )


def _other(day: date) -> Any:
    from isthmus.catalog.claim import Alternative

    return Alternative(value=day, sources=("page",))
