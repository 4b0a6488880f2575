"""Options that the commands of the agent share."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.agent.profiles import Profile

ProfileOption = Annotated[
    Profile | None,
    typer.Option("--profile", help="Which models it thinks with; else [agent] profile of the settings."),
]
ConversationOption = Annotated[
    str | None, typer.Option("--conversation", help="Name of a conversation to go on with, or to begin.")
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Think with the models of the isthmus that runs at this address; $ISTHMUS_API_KEY."),
]
