"""Embeddings: OpenAI's form and Gemini's two, translated into each other through `domain.embedding`."""
