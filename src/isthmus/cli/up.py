"""`isthmus up`: serve."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import replace
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.logging import RichHandler

from isthmus.app import App, embedded_offers, running, serve
from isthmus.app_agent import served
from isthmus.app_waking import awake
from isthmus.cli.options import ConfigOption
from isthmus.cli.question import Question, Told, ask_here
from isthmus.cli.show import print_decision, print_facts
from isthmus.cli.weights import fetch_weights
from isthmus.domain.errors import IsthmusError
from isthmus.routing.explain import explanation
from isthmus.settings import Settings, load, parse_bind

SMALL_MODEL = "smollm2-135m-instruct"
HELLO = "Say hello and name three colours."
ENGINE_PATIENCE = 60.0
"""Seconds the greeting waits for the own model to be ready."""


def command(
    bind: Annotated[str | None, typer.Option(help="Address to serve on, instead of [server] bind.")] = None,
    hello: Annotated[bool, typer.Option("--hello", help="Ask the own model a question once it is up.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    config: ConfigOption = None,
) -> None:
    """Serve the endpoint until Ctrl-C."""
    console = Console(stderr=True, highlight=False)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(name)s: %(message)s",
        handlers=[RichHandler(console=console, show_path=False)],
    )
    settings = load(config)
    if bind is not None:
        settings = replace(settings, server=replace(parse_bind(settings.server, bind), given=True))
    fetch_weights(settings, console)
    welcome(settings, console)
    uvloop.run(_serve(settings, console, hello=hello))


async def _serve(settings: Settings, console: Console, *, hello: bool) -> None:
    async with running(settings) as app, served(app) as attended, awake(settings, attended):

        async def started(host: str, port: int) -> None:
            shown = f"[{host}]" if ":" in host else host
            console.print(f"\nServing on http://{shown}:{port}/v1 · Ctrl-C stops", markup=False)
            if hello:
                await _greet(app, console)

        await serve(app, started=started)
    console.print("Stopped; the ledger is written out.")


def welcome(settings: Settings, console: Console) -> None:
    """Say what is there, and honestly what it is worth."""
    where = settings.source or "no settings file: what was found on this machine"
    console.print(f"[bold]isthmus[/] · {where}")
    for note in settings.notes:
        console.print(f"  {note}", markup=False)
    for offer in settings.offers.values():
        console.print(f"  [bold]{offer.name}[/] · {offer.model} at {offer.provider} · {offer.side}")
    if any(offer.model == SMALL_MODEL for offer in embedded_offers(settings)):
        console.print(
            "\nThe own model here is SmolLM2-135M: it shows that everything works, chats in simple English, and gets "
            "facts wrong. For real work, `isthmus models suggest` says which better models fit this machine."
        )


async def _greet(app: App, console: Console) -> None:
    """A real answer of the own model, with its decision and cost."""
    own = [offer.name for offer in embedded_offers(app.settings)]
    if not own:
        return
    told = Told()
    console.print(f"\n[bold]You:[/] {HELLO}\n[bold]{own[0]}:[/] ", end="")
    try:
        async with asyncio.timeout(ENGINE_PATIENCE):
            question = Question(text=HELLO, model=own[0], max_tokens=60, temperature=0.0)
            async for piece in ask_here(app, question, told):
                sys.stderr.write(piece)
                sys.stderr.flush()
    except (IsthmusError, TimeoutError) as exc:
        sentence = exc.sentence if isinstance(exc, IsthmusError) else "the own model is not ready yet."
        console.print(f"\nNo answer: {sentence}", style="red", markup=False)
        return
    console.print("\n")
    if told.decision is not None:
        print_decision(console, explanation(told.decision))
    print_facts(console, told)
    console.print(
        '\nTry: [bold]isthmus ask "Tell me about rivers"[/] · isthmus ledger tail · isthmus offers · '
        "any OpenAI client with that base URL"
    )
