"""The table of known services."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from isthmus.providers.compatible import Service, services

ALL = list(services().values())


@pytest.mark.parametrize("service", ALL, ids=lambda service: service.name)
def test_every_row_is_complete(service: Service) -> None:
    assert service.title
    assert service.models
    assert service.checked
    assert service.unchecked
    source = urlsplit(service.source)
    assert source.scheme == "https"
    assert source.hostname
    if service.default_model is not None:
        assert (service.default_model_source or "").startswith("https://")
        assert service.key is not None
    assert not service.base_url.endswith("/")


@pytest.mark.parametrize("service", ALL, ids=lambda service: service.name)
def test_an_address_is_on_this_machine_or_under_tls(service: Service) -> None:
    if service.local:
        assert service.base_url == f"http://127.0.0.1:{service.port}/v1"
        assert service.side == "own"
        assert service.key is None
    elif service.base_url:
        assert service.base_url.startswith("https://")


def test_no_two_services_share_a_port_or_a_variable() -> None:
    ports = [service.port for service in ALL if service.port is not None]
    variables = [name for service in ALL if service.key for name in (service.key.name, *service.key_also)]
    assert len(set(ports)) == len(ports)
    assert len(set(variables)) == len(variables)


def test_the_services_people_ask_for_are_there() -> None:
    assert {
        *("openai", "azure-openai", "anthropic", "gemini", "mistral", "deepseek", "groq", "together", "fireworks"),
        *("openrouter", "xai", "deepinfra", "huggingface", "vllm", "sglang", "llama-cpp", "ollama", "lm-studio"),
    } <= set(services())
