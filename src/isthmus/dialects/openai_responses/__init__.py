"""The dialect of OpenAI's Responses API."""

from isthmus.dialects.openai_responses.state import RESUMABLE
from isthmus.dialects.openai_responses.translator import OPENAI_RESPONSES, OpenAIResponses

__all__ = ["OPENAI_RESPONSES", "RESUMABLE", "OpenAIResponses"]
