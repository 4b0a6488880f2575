"""Embeddings, as OpenAI's and as Gemini's clients ask for them."""

from __future__ import annotations

from isthmus.gateway.work import on_the_road

ENDPOINTS = (
    on_the_road("POST", "/v1/embeddings", "openai", "openai-embeddings"),
    *(
        on_the_road("POST", f"/{version}/models/{{model}}:{verb}", "gemini", form)
        for version in ("v1beta", "v1", "v1alpha")
        for verb, form in (("embedContent", "gemini-embed"), ("batchEmbedContents", "gemini-batch-embed"))
    ),
)
