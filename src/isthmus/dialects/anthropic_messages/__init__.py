"""The dialect of Anthropic's Messages API."""

from isthmus.dialects.anthropic_messages.translator import ANTHROPIC_MESSAGES, AnthropicMessages

__all__ = ["ANTHROPIC_MESSAGES", "AnthropicMessages"]
