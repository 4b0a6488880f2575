"""`isthmus ask`: a question from the command line, answered as it comes."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console

from isthmus.app import running
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.question import Question, Told, ask_here, ask_server, read_cost, server_is_up, text_of
from isthmus.cli.show import print_facts, print_json, summary
from isthmus.cli.weights import fetch_weights
from isthmus.settings import load


def command(
    text: Annotated[
        str | None, typer.Argument(help="The question; `-` or nothing reads it from standard input.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="A workload or an offer; `auto`: the default workload.")
    ] = "auto",
    labels: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="A label the question carries; repeatable.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of answer at most.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0: always the likeliest word.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a question and print the answer as it comes."""
    question = Question(
        text=text_of(text), model=model, labels=tuple(labels or ()), max_tokens=max_tokens, temperature=temperature
    )
    settings = load(config)
    told = Told()
    pieces: list[str] = []

    def show(piece: str) -> None:
        pieces.append(piece)
        if not as_json:
            sys.stdout.write(piece)
            sys.stdout.flush()

    if server_is_up(settings):
        for piece in ask_server(settings, question, told):
            show(piece)
        read_cost(settings, told)
    else:
        fetch_weights(settings, Console(stderr=True))

        async def here() -> None:
            async with running(settings) as app:
                async for piece in ask_here(app, question, told):
                    show(piece)

        asyncio.run(here())
    if as_json:
        print_json({"answer": "".join(pieces), **summary(told)})
    else:
        sys.stdout.write("\n")
        sys.stdout.flush()
        print_facts(Console(stderr=True, highlight=False), told)
