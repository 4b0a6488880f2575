"""Reading what the user wants, from the user's own words and nothing else.

A model that reads them is shown nothing but them, and code keeps of its reading what the words bear out. Where no model
is to read them, or none can be asked, rules do.
"""

from __future__ import annotations

from isthmus.agent.asking import Asking, OverBudget
from isthmus.agent.conversation import Turn
from isthmus.agent.means import Means
from isthmus.agent.monitor import reading, rules
from isthmus.agent.monitor.intents import Intent
from isthmus.agent.prompt import Line
from isthmus.domain.errors import IsthmusError
from isthmus.domain.message import CompletionRequest, Message, ResponseFormat, Text

BRANCH = "intent"
"""The branch that reads intents: it has seen nothing but the words of one turn."""

_OUTPUT_TOKENS = 400


async def read_intents(means: Means, turn: Turn, asking: Asking) -> tuple[Intent, ...]:
    """The intents of a turn's words.

    Raises:
        OverBudget: the turn may cost no more.
    """
    if not means.intents_by_model:
        return rules.read(turn.text, turn.begun_at, by=turn.user)
    words = Line(message=Message(role="user", parts=(Text(text=turn.text),)), labels=frozenset(), turn=turn.id)
    request = CompletionRequest(
        model=means.workloads["routine"],
        messages=(Message(role="system", parts=(Text(text=reading.PROMPT),)),),
        response_format=ResponseFormat(kind="json_schema", name="request", schema=reading.SCHEMA, strict=True),
        max_output_tokens=_OUTPUT_TOKENS,
        temperature=0.0,
    )
    try:
        answer = await asking.whole(request, [words])
    except OverBudget:
        raise
    except IsthmusError:
        return rules.read(turn.text, turn.begun_at, by=turn.user)
    return reading.checked(turn.text, answer, turn.begun_at, by=turn.user)
