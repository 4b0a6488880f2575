"""`isthmus agent`: its commands, put together."""

from __future__ import annotations

import typer

from isthmus.cli.agent import decisions, pair, records, run, setup

app = typer.Typer(no_args_is_help=True, help="An agent over your mail, calendar, files and messages.")
app.command("run")(run.command)
app.command("approvals")(decisions.approvals)
app.command("approve")(decisions.approve)
app.command("resume")(decisions.resume)
app.command("pair")(pair.command)
app.command("explain")(records.explain)
app.command("log")(records.log)
app.command("setup")(setup.command)
