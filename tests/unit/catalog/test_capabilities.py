"""What models can do."""

from __future__ import annotations

from isthmus.catalog.capabilities import capabilities_of, families, overridden
from isthmus.domain.offer import Capabilities
from isthmus.providers.compatible import services


def test_every_row_is_right_and_says_what_was_checked() -> None:
    for family in families():
        assert family.models
        assert family.checked
        assert set(family.providers) <= {"embedded", *services()}
        assert family.can != Capabilities()
        assert (family.can.output_tokens or 0) <= (family.can.context_tokens or family.can.output_tokens or 0)


def test_the_embedded_engine_emulates_tools_for_any_model() -> None:
    found = capabilities_of("embedded", "whatever")
    assert (found.tools, found.json_schema, found.vision) == ("emulated", "emulated", "no")


def test_the_path_before_a_name_does_not_matter_but_the_provider_does() -> None:
    assert capabilities_of("openrouter", "openai/gpt-5.4-mini").context_tokens == 400_000
    assert capabilities_of("openai", "GPT-5.4-mini").context_tokens == 400_000
    assert capabilities_of("vllm", "gpt-5.4-mini") == Capabilities()


def test_the_more_particular_row_counts() -> None:
    assert capabilities_of("anthropic", "claude-haiku-4-5-20251001").context_tokens == 200_000
    assert capabilities_of("anthropic", "claude-haiku-5-5").context_tokens is None
    assert capabilities_of("anthropic", "claude-haiku-5-5").tools == "yes"


def test_what_is_not_known_stays_unknown() -> None:
    assert capabilities_of("openai", "gpt-99") == Capabilities()


def test_the_operator_has_the_last_word() -> None:
    known = Capabilities(tools="yes", context_tokens=100)
    assert overridden(known, {"tools": "no", "vision": "yes"}) == Capabilities(
        tools="no", vision="yes", context_tokens=100
    )
