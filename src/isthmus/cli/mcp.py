"""`isthmus mcp`: our tools for other programmes, and other people's tools for the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from isthmus.agent.guarding import Guarded
from isthmus.agent.inert import one_line, visible
from isthmus.agent.recorded import written
from isthmus.agent.tool import Effect, Grant, ToolResult
from isthmus.app_agent import connected, secret_of
from isthmus.cli.agent.keypress import key_of
from isthmus.cli.agent.settings_file import difference, with_key, write
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.connectors.mcp_client.account import KIND, Account
from isthmus.domain.errors import ConfigError, InvalidRequest
from isthmus.ledger.agent import SqlEventLog, SqlMarkStore
from isthmus.ledger.fingerprints import installation_key, key_file
from isthmus.ledger.store import open_store
from isthmus.settings import Settings, load
from isthmus.settings.values import AccountSettings

app = typer.Typer(no_args_is_help=True, help="Tools by the Model Context Protocol: ours for others, others' for us.")


@app.command("serve")
def serve(
    accounts: Annotated[list[str], typer.Argument(help="Accounts whose tools are served.")],
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="fetch, send, change or destroy: what is served beside reading and keeping."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="Whom it may reach, as mailto:bob@example.com; or `anyone`. Repeatable."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Serve the tools of accounts to the programme that starts this, by standard input and output."""
    settings = load(config)
    effects = _effects(allow or ())
    if {"fetch", "send", "change"} & effects and not to:
        raise InvalidRequest(
            "What reaches others is served only towards whom you name.",
            hint="Add --to mailto:bob@example.com, or --to anyone.",
        )
    for name in accounts:
        _account(settings, name)
    asyncio.run(_serve(settings, accounts, effects, frozenset(to or ())))


async def _serve(settings: Settings, accounts: Sequence[str], effects: frozenset[Effect], to: frozenset[str]) -> None:
    from isthmus.connectors.mcp_server.door import Door, effects_of  # noqa: PLC0415  # brings the library
    from isthmus.connectors.mcp_server.serving import serve_stdio, server_of  # noqa: PLC0415

    store = await asyncio.to_thread(open_store, settings.store.url)
    try:
        key = await asyncio.to_thread(installation_key, key_file(store.path))
        log, marks = SqlEventLog(store, key), SqlMarkStore(store, key)
        toolsets = [Guarded(await connected(settings.accounts[name]), marks) for name in accounts]
        try:
            door = Door(toolsets, effects_of(effects), to)
            conversation = f"mcp-{'-'.join(accounts)}"

            def told(client: str, grant: Grant, result: ToolResult) -> None:
                content = {
                    "call": grant.call,
                    "tool": grant.tool,
                    "reader": f"mcp client {one_line(client, 60)}",
                    "result": written(result),
                    "shown": 0,
                }
                log.append(conversation, grant.call, "effect_done", content)

            await serve_stdio(server_of(door, version=version("isthmus"), told=told))
        finally:
            for toolset in toolsets:
                await toolset.aclose()
    finally:
        store.dispose()


@app.command("approve")
def approve(
    name: Annotated[str, typer.Argument(help="Of the account, as in [accounts.NAME].")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: you have looked at the list before.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at the tools of an MCP server of somebody else's, and let the agent have exactly these."""
    from isthmus.connectors.mcp_client.specs import specs  # noqa: PLC0415  # brings the library
    from isthmus.connectors.mcp_client.toolset import listed  # noqa: PLC0415

    settings = load(config)
    account = _account(settings, name).account
    if not isinstance(account, Account):
        raise InvalidRequest(f"[accounts.{name}] is not of the kind {KIND}: its tools are ours.")
    offered = asyncio.run(listed(account, secret_of))
    known = specs(name, account, offered.tools)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        print_json(
            {
                "digest": offered.digest,
                "approved": account.pin == offered.digest,
                "tools": [
                    {"name": tool.name, "effect": known[tool.name].effect if tool.name in known else None}
                    for tool in offered.tools
                ],
            }
        )
    else:
        for tool in offered.tools:
            spec = known.get(tool.name)
            told = "left out" if spec is None else spec.effect
            console.print(f"{one_line(tool.name, 80)} · {told}", style="bold", markup=False)
            console.print(visible(tool.description or ""), markup=False)
            for parameter in () if spec is None else spec.parameters:
                console.print(f"    {parameter.name} ({parameter.role}, {parameter.kind})", style="dim", markup=False)
    if account.pin == offered.digest:
        if not as_json:
            console.print("These are approved already.", markup=False)
        return
    if settings.source is None:
        raise ConfigError("There is no settings file to write the approval into.")
    _pin(console, settings.source, name, offered.digest, ask=not yes, quiet=as_json)


def _pin(console: Console, path: Path, name: str, digest: str, *, ask: bool, quiet: bool) -> None:
    old = path.read_text(encoding="utf-8")
    new = with_key(old, "accounts", name, "pin", digest)
    if not quiet:
        console.print(difference(path, old, new), markup=False)
    if ask:
        if key_of("yn", lambda: console.print("Let the agent have these tools? [y/n] ", markup=False, end="")) != "y":
            console.print("\nNothing was changed.", markup=False)
            raise typer.Exit(1)
        console.print()
    write(path, new)
    if not quiet:
        console.print(f"{path} is written.", markup=False)


def _effects(allow: Sequence[str]) -> frozenset[Effect]:
    known = ("fetch", "send", "change", "destroy")
    wrong = [one for one in allow if one not in known]
    if wrong:
        raise InvalidRequest(f"{one_line(wrong[0], 40)!r} cannot be allowed.", hint=f"There is {', '.join(known)}.")
    return frozenset(cast("Effect", one) for one in allow)


def _account(settings: Settings, name: str) -> AccountSettings:
    found = settings.accounts.get(name)
    if found is None:
        named = ", ".join(settings.accounts) or "none"
        raise ConfigError(f"There is no [accounts.{one_line(name, 60)}].", hint=f"There is {named}.")
    return found
