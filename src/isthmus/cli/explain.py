"""`isthmus explain`: the decision for a request, without sending it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from isthmus.app import running
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.question import Question, explain_by_server, server_is_up, text_of
from isthmus.cli.show import print_decision, print_json
from isthmus.domain.decision import Decision
from isthmus.domain.errors import InvalidRequest
from isthmus.routing.answer import Call
from isthmus.routing.explain import explanation
from isthmus.settings import Settings, load


def command(
    text: Annotated[
        str | None, typer.Argument(help="The question; `-` or nothing reads it from standard input.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A chat completion request as JSON, instead of a question and its model."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="A workload or an offer; `auto`: the default workload.")
    ] = "auto",
    labels: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="A label the request carries; repeatable.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which offer would serve a request, and why the others would not. Nothing is sent."""
    if file is not None and (text is not None or model != "auto"):
        raise typer.BadParameter("A file has its own question and model: give either TEXT and --model, or --file.")
    question = Question(text="" if file else text_of(text), model=model, labels=tuple(labels or ()))
    body = question.body() if file is None else _read(file)
    settings = load(config)
    if server_is_up(settings):
        decision = explain_by_server(settings, body, question.labels)
    else:
        call = question.call()
        call.body = body
        decision = explanation(asyncio.run(_decide(settings, call)))
    if as_json:
        print_json(decision)
    else:
        print_decision(Console(), decision)


async def _decide(settings: Settings, call: Call) -> Decision:
    """On the road itself, so that the decision is the one a request would meet."""
    async with running(settings) as app:
        return await app.road.decide(call)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise InvalidRequest(f"{file} cannot be read: {exc.strerror or exc}.") from exc
