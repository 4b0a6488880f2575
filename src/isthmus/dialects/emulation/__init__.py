"""Tool calls and structured answers on offers that have only answers constrained by a schema of an object.

Small open models seldom call tools through their chat template, even where a call is required; constrained to a union
of the tools' schemas they do. So tools become such a union, and what the model writes becomes tool calls again, as it
is written. Schemas are put into the words that such engines know; those whose top level is no object, at which small
models fail, are wrapped in one.

One call per answer, unless the request itself says `parallel_tool_calls`: a list to fill costs a small model much. Log
probabilities cannot be told, for they are those of a text that the client does not see.
"""

from isthmus.dialects.emulation.plan import Emulation, EventFilter, plan

__all__ = ["Emulation", "EventFilter", "plan"]
