"""`isthmus explain`: the decision for a request, without sending it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from isthmus.app import roster_of
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.question import Question, explain_by_server, server_is_up
from isthmus.cli.show import print_decision, print_json
from isthmus.routing.choose import choose
from isthmus.routing.explain import explanation
from isthmus.routing.health import HealthBoard
from isthmus.routing.reading import read
from isthmus.settings import load


def command(
    text: Annotated[str, typer.Argument(help="The question.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A chat completion request as JSON, instead.")
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
    settings = load(config)
    question = Question(text=text, model=model, labels=tuple(labels or ()))
    body = question.body() if file is None else file.read_bytes()
    if server_is_up(settings):
        decision = explain_by_server(settings, body, question.labels)
    else:
        call = question.call()
        call.body = body
        roster = roster_of(settings)
        found = read(call, roster)
        decision = explanation(
            choose(
                found.workload,
                found.facts,
                found.labels,
                roster,
                HealthBoard(),
                now=time.monotonic(),
                today=datetime.now(UTC).date(),
            )
        )
    if as_json:
        print_json(decision)
    else:
        print_decision(Console(), decision)
