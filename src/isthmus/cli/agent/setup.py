"""`isthmus agent setup`: find accounts, test them, keep their secrets, and write them into the settings.

Nothing is contacted that was not said, nothing is written that was not shown, and no password goes anywhere before the
server it goes to was confirmed. Run again, it changes nothing that is right already.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console

from isthmus.agent.inert import one_line
from isthmus.agent.marks import USERS_WORDS
from isthmus.agent.monitor.digests import digest
from isthmus.agent.tool import Grant, Toolset
from isthmus.app_agent import connected
from isthmus.cli.agent.keypress import key_of
from isthmus.cli.agent.settings_file import difference, with_table, write
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.connectors import finding, sealed
from isthmus.connectors.finding import Found, Service
from isthmus.connectors.kinds import kinds
from isthmus.domain.errors import ConfigError, InvalidRequest, IsthmusError
from isthmus.settings import Settings, load
from isthmus.settings.values import AccountSettings

_KEYRING_SERVICE = "isthmus"
_PLACE = re.compile(r"(?P<host>\[[^\]]+\]|[^:]+):(?P<port>\d{1,5}):(?P<tls>tls|starttls|none)\Z")


class Tested(NamedTuple):
    """What came of a test."""

    account: str
    kind: str
    ok: bool
    told: str


def command(
    address: Annotated[str | None, typer.Option("--address", help="Your mail address; asked for, if not said.")] = None,
    name: Annotated[str, typer.Option("--name", help="How the account is called.")] = "mail",
    user: Annotated[str | None, typer.Option("--user", help="By which you log in; else the address.")] = None,
    imap: Annotated[str | None, typer.Option("--imap", help="HOST:PORT:tls|starttls|none; else it is found.")] = None,
    smtp: Annotated[str | None, typer.Option("--smtp", help="As --imap; for sending.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", help="Of all that is in it; repeatable.")] = None,
    password_from: Annotated[
        str | None, typer.Option("--password-from", help="env:NAME, file:PATH or keyring:NAME, where the password is.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only test the accounts there are.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set accounts up for the agent: found, tested, and written into the settings."""
    settings = load(config)
    if check:
        _check(settings, as_json=as_json)
        return
    console = Console(highlight=False, soft_wrap=True)
    address = address or _asked(console, "Your mail address: ")
    same = next((one for one in settings.accounts.values() if getattr(one.account, "address", None) == address), None)
    if same is not None and same.kind == "imap":
        console.print(f"{address} is set up already, as [accounts.{same.name}].", markup=False)
        _tell(console, asyncio.run(_test(same)))
        return
    found = {place.service: place for place in _found(console, address, imap, smtp)}
    table = _table(console, address, found, user=user, labels=label or [])
    reference = password_from or _kept(console, settings, name, address)
    table["password"] = reference
    tested = asyncio.run(_test(AccountSettings(name=name, kind="imap", account=_account(table))))
    _tell(console, tested)
    if not tested.ok:
        raise typer.Exit(1)
    _write(console, settings, config, name, table, yes=yes)
    others = [f"{kind.name}: {kind.summary}" for kind in kinds().values() if kind.name != "imap"]
    console.print("Other kinds of accounts are written by hand:", *others, sep="\n  ", markup=False)


# ---------------------------------------------------------------------------------------------------------- testing


def _check(settings: Settings, *, as_json: bool) -> None:
    async def test() -> list[Tested]:
        return list(await asyncio.gather(*map(_test, settings.accounts.values())))

    tested = asyncio.run(test())
    if as_json:
        print_json([one._asdict() for one in tested])
    else:
        console = Console(highlight=False, soft_wrap=True)
        for one in tested:
            _tell(console, one)
        if not tested:
            console.print("There are no accounts yet; `isthmus agent setup` finds them.", markup=False)
    if not all(one.ok for one in tested):
        raise typer.Exit(1)


async def _test(account: AccountSettings) -> Tested:
    """Connect an account and look at something harmless in it."""
    try:
        toolset = await connected(account)
    except ConfigError as exc:
        return Tested(account.name, account.kind, ok=False, told=exc.sentence)
    try:
        told = await _looked(toolset)
    except IsthmusError as exc:
        return Tested(account.name, account.kind, ok=False, told=exc.sentence)
    except Exception as exc:  # the boundary to foreign code
        return Tested(account.name, account.kind, ok=False, told=f"It failed ({type(exc).__name__}).")
    finally:
        await toolset.aclose()
    return Tested(account.name, account.kind, ok=True, told=told)


async def _looked(toolset: Toolset) -> str:
    """Call the simplest tool that only reads and needs to be told nothing."""
    simple = [
        spec for spec in toolset.specs if spec.effect == "read" and not any(one.required for one in spec.parameters)
    ]
    if not simple:
        return f"{len(toolset.specs)} tools; none of them can be tried without being told what to do"
    spec = min(simple, key=lambda one: len(one.parameters))
    grant = Grant(call="setup", tool=spec.name, digest=digest(spec.name, {}), mark=USERS_WORDS)
    result = await toolset.run(grant)
    return f"{len(toolset.specs)} tools; {spec.name} found {len(result.items)}"


def _tell(console: Console, tested: Tested) -> None:
    sign, style = ("✓", "green") if tested.ok else ("✗", "red")
    console.print(f"{sign} {tested.account} ({tested.kind}): {one_line(tested.told, 400)}", style=style, markup=False)


# ----------------------------------------------------------------------------------------------------------- finding


def _found(console: Console, address: str, imap: str | None, smtp: str | None) -> list[Found]:
    """The servers of an address: as they were said, else on this machine, else at its domain, after asking."""
    said = [_place(service, place) for service, place in (("imap", imap), ("smtp", smtp)) if place is not None]
    if any(one.service == "imap" for one in said):
        return said
    places = asyncio.run(finding.local())
    domain = address.rpartition("@")[2]
    if _yes(console, f"Look for servers at {domain}? It learns that somebody asks, and nothing else."):
        places = [*asyncio.run(finding.at_domain(domain)), *places]
    if not any(one.service == "imap" for one in places):
        raise ConfigError(
            f"No mail server was found for {one_line(address, 100)}.",
            hint="Say where it is: --imap imap.example.org:993:tls --smtp smtp.example.org:465:tls.",
        )
    return [
        _chosen(console, service, [one for one in places if one.service == service]) for service in _services(places)
    ]


def _services(places: Sequence[Found]) -> list[Service]:
    return [service for service in ("imap", "smtp") if any(one.service == service for one in places)]


def _chosen(console: Console, service: Service, places: Sequence[Found]) -> Found:
    for one in places:
        if _yes(console, f"{service} at {one.host}:{one.port} ({one.tls})?"):
            return one
    raise ConfigError(f"No {service} server was chosen.", hint=f"Say it: --{service} HOST:PORT:tls.")


def _place(service: str, text: str) -> Found:
    match = _PLACE.match(text)
    if match is None:
        raise InvalidRequest(f"{one_line(text, 100)!r} is no server.", hint="Write it as imap.example.org:993:tls.")
    return Found(service, match["host"].strip("[]"), int(match["port"]), match["tls"])  # type: ignore[arg-type]


def _table(
    console: Console, address: str, found: dict[Service, Found], *, user: str | None, labels: list[str]
) -> dict[str, Any]:
    """The account as the settings have it, without its password."""
    imap, smtp = found["imap"], found.get("smtp")
    table: dict[str, Any] = {"kind": "imap", "labels": labels, "address": address}
    if user is not None:
        table["user"] = user
    table |= {"imap_host": imap.host, "imap_port": imap.port, "imap_tls": imap.tls}
    if smtp is None:
        console.print("No server for sending: mail can be read and drafted, not sent.", markup=False)
    else:
        table |= {"smtp_host": smtp.host, "smtp_port": smtp.port, "smtp_tls": smtp.tls}
    return table


def _account(table: dict[str, Any]) -> msgspec.Struct:
    from isthmus.settings.accounts import account_of  # noqa: PLC0415  # only here

    return account_of(table)


# ----------------------------------------------------------------------------------------------------------- secrets


def _kept(console: Console, settings: Settings, name: str, address: str) -> str:
    """Ask for the password and keep it: in the keyring where there is one, else in a sealed file."""
    if not sys.stdin.isatty():
        raise InvalidRequest("There is nobody to ask for the password.", hint="Say where it is: --password-from.")
    secret = getpass.getpass(f"Password of {one_line(address, 100)}: ")
    if not secret:
        raise InvalidRequest("No password was given.")
    if _in_keyring(f"{name}:{address}", secret):
        console.print("The password is in the keyring of this system.", markup=False)
        return f"keyring:{name}:{address}"
    path = settings.state_dir / "secrets" / f"{name}{sealed.SUFFIX}"
    sealed.keep(path, secret)
    where = "the environment" if os.environ.get(sealed.VARIABLE) else f"{path.parent / 'key'}"
    console.print(f"The password is sealed in {path}; the key is in {where}.", markup=False)
    return f"file:{path}"


def _in_keyring(name: str, secret: str) -> bool:
    try:
        import keyring  # noqa: PLC0415  # an extra
        from keyring.backends.fail import Keyring as Nowhere  # noqa: PLC0415
    except ImportError:
        return False
    if isinstance(keyring.get_keyring(), Nowhere):
        return False
    try:
        keyring.set_password(_KEYRING_SERVICE, name, secret)
        kept: bool = keyring.get_password(_KEYRING_SERVICE, name) == secret
    except keyring.errors.KeyringError:
        return False
    return kept


# ----------------------------------------------------------------------------------------------------------- writing


def _write(
    console: Console, settings: Settings, config: Path | None, name: str, table: dict[str, Any], *, yes: bool
) -> None:
    path = settings.source or config or Path("isthmus.toml")
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    new = with_table(old, "accounts", name, table)
    if new == old:
        console.print("Nothing is to be changed.", markup=False)
        return
    console.print(difference(path, old, new), markup=False)
    if not yes and not _yes(console, f"Write this into {path}?"):
        console.print("Nothing was written.", markup=False)
        raise typer.Exit(1)
    write(path, new)
    console.print(f"{path} is written. Try it: isthmus chat", markup=False)


def _asked(console: Console, question: str) -> str:
    if not sys.stdin.isatty():
        raise InvalidRequest("There is nobody to ask.", hint="Say --address.")
    console.print(question, markup=False, end="")
    return input().strip()


def _yes(console: Console, question: str) -> bool:
    key = key_of("yn", lambda: console.print(f"{question} [y/n] ", markup=False, end=""))
    console.print(key or "", markup=False)
    return key == "y"
