"""The commands of `isthmus catalog`, put together."""

from __future__ import annotations

import typer

from isthmus.cli.catalog import account, compare, licence, openness, search, show, terms, update

app = typer.Typer(
    help="What is known of models, licences, terms and prices: look it up, check it, renew it.", no_args_is_help=True
)
app.command("show")(show.command)
app.command("search")(search.command)
app.command("compare")(compare.command)
app.command("openness")(openness.command)
app.command("licence")(licence.command)
app.command("terms")(terms.command)
app.command("account")(account.command)
app.command("update")(update.command)
