"""`isthmus keys`: make, list and revoke the keys by which clients are known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from isthmus.agent.profiles import AGENT_MODEL
from isthmus.cli.ledger import StoreOption, store_of
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.cli.span import span
from isthmus.domain.principal import Key
from isthmus.ledger.keys import KeptKey, KeyStore
from isthmus.ledger.store import Store
from isthmus.settings import load
from isthmus.settings.values import Settings

app = typer.Typer(help="Keys by which clients are known.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the key, as the ledger will tell it.")],
    workload: Annotated[str | None, typer.Option(help="Workload of requests that name none.")] = None,
    workloads: Annotated[
        list[str] | None,
        typer.Option(
            "--workloads",
            help="All it may ask for: workloads, or offers by their own names; with commas between, or given more than "
            "once. Not given: whatever there is.",
        ),
    ] = None,
    team: Annotated[str | None, typer.Option(help="Team on whose behalf it asks.")] = None,
    user: Annotated[str | None, typer.Option(help="User on whose behalf it asks.")] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="Label on every request; may be given more than once.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Time until it expires: 24h, 90d. Not given: never.")] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key and show it, this once."""
    until = None if expires is None else datetime.now(UTC) + span(expires)
    allowed = None if workloads is None else _names(workloads)
    address = store
    doubts: list[str] = []
    if address is None:
        # Which engines run matters only to the names of offers. What is wrong with the settings shows before the key is
        # made: afterwards it could no longer be shown.
        settings = load(config, ports=None if allowed or workload else {})
        address = settings.store.url
        doubts = _doubts(settings, workload, allowed)
    key, plaintext = KeyStore(Store(address)).add(
        name, team=team, user=user, workload=workload, workloads=allowed, labels=labels or (), expires=until
    )
    for doubt in doubts:
        typer.echo(doubt, err=True)
    if as_json:
        print_json({"key": plaintext, **_facts(key)})
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(plaintext, style="bold")
    console.print("\nThis is the only time the key is shown: isthmus keeps its hash. It is in force at once.")
    console.print("For an isthmus with another store, put this into its isthmus.toml:\n")
    console.print(settings_lines(key), style="dim")


@app.command("list")
def list_keys(as_json: JsonOption = False, store: StoreOption = None, config: ConfigOption = None) -> None:
    """List the keys in the store; those in the settings file are listed there."""
    kept = KeyStore(store_of(store, config)).list()
    if as_json:
        print_json([{**_facts(one.key), "revoked": one.revoked} for one in kept])
        return
    console = Console(highlight=False)
    if not kept:
        console.print("There are no keys yet. `isthmus keys add NAME` makes one.", markup=False)
        return
    table = Table(
        "name",
        "state",
        "workload",
        "may ask for",
        "labels",
        "team",
        "user",
        "made",
        "expires",
        box=None,
        pad_edge=False,
    )
    now = datetime.now(UTC)
    for one in kept:
        key = one.key
        table.add_row(
            key.name,
            _state(one, now),
            key.workload,
            "all" if key.workloads is None else ", ".join(sorted(key.workloads)),
            ", ".join(sorted(key.labels)),
            key.principal.team,
            key.principal.user,
            _date(key.created),
            _date(key.expires) or "never",
        )
    console.print(table, markup=False)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the key.")],
    as_json: JsonOption = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a key out of force, for good."""
    key = KeyStore(store_of(store, config)).revoke(name)
    if as_json:
        print_json(_facts(key))
        return
    typer.echo(f"The key {key.name!r} is revoked. Running servers that share the store refuse it within a second.")


def settings_lines(key: Key) -> str:
    """The key as lines of `isthmus.toml`."""
    lines = [f"[keys.{_quoted(key.name)}]", f'hash = "sha256:{key.hash.hex()}"']
    for name, value in (("workload", key.workload), ("team", key.principal.team), ("user", key.principal.user)):
        if value is not None:
            lines.append(f"{name} = {_string(value)}")
    for name, values in (("workloads", key.workloads), ("labels", key.labels)):
        if values:
            lines.append(f"{name} = [{', '.join(_string(value) for value in sorted(values))}]")
    if key.expires is not None:
        lines.append(f"expires = {key.expires.isoformat(timespec='seconds')}")
    return "\n".join(lines)


def _names(given: Sequence[str]) -> frozenset[str]:
    # No name has a comma, so both ways to give several can be taken. One left empty is refused like any wrong name.
    return frozenset(name.strip() for some in given for name in some.split(","))


def _doubts(settings: Settings, workload: str | None, allowed: frozenset[str] | None) -> list[str]:
    """A sentence for each name the settings do not know. No error: the settings may follow the key."""
    known = {*settings.workloads, *settings.offers} | ({AGENT_MODEL} if settings.accounts else set())
    doubts = [
        f"Note: the settings have no workload or offer {name!r}. Known: {', '.join(sorted(known))}."
        for name in sorted((allowed or frozenset()) - known)
    ]
    if workload is not None and workload not in settings.workloads:
        doubts.append(
            f"Note: the settings have no workload {workload!r}. "
            f"Until they have, requests that name none belong to {settings.default_workload!r}."
        )
    return doubts


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else _string(name)


def _string(value: str) -> str:
    # A JSON string is a TOML basic string.
    return msgspec.json.encode(value).decode()


def _facts(key: Key) -> dict[str, Any]:
    principal = key.principal
    return {
        "name": key.name,
        "hash": f"sha256:{key.hash.hex()}",
        "tenant": principal.tenant,
        "team": principal.team,
        "user": principal.user,
        "workload": key.workload,
        "workloads": None if key.workloads is None else sorted(key.workloads),
        "labels": sorted(key.labels),
        "created": key.created,
        "expires": key.expires,
    }


def _state(kept: KeptKey, now: datetime) -> str:
    if kept.revoked is not None:
        return f"revoked {_date(kept.revoked)}"
    if kept.key.expires is not None and kept.key.expires <= now:
        return "expired"
    return "in force"


def _date(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone().strftime("%Y-%m-%d %H:%M")
