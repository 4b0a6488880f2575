"""The dialect of OpenAI's chat completions, which most servers of open models speak too."""

from isthmus.dialects.openai_chat.translator import OPENAI_CHAT, OpenAIChat

__all__ = ["OPENAI_CHAT", "OpenAIChat"]
