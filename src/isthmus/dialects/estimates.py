"""Bounds and estimates that every dialect reads facts by."""

BYTES_PER_TOKEN = 4
"""Of JSON in English; other scripts have fewer tokens per byte than this says, so that the estimate is rather high."""

CONVERSATION_LIMIT = 200
"""Characters of a conversation's name."""
