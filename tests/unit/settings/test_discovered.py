"""The settings where there is no file."""

from __future__ import annotations

from pathlib import Path

from isthmus.domain.label import Clearance
from isthmus.domain.offer import SecretRef
from isthmus.providers.compatible import services
from isthmus.providers.discovery import FoundEngine, FoundKey
from isthmus.settings.discovered import discovered
from isthmus.settings.reading import read

OLLAMA = services()["ollama"]


def test_with_nothing_to_find_there_is_the_embedded_model(tmp_path: Path) -> None:
    settings = read(None, environ={"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}, ports={})
    assert list(settings.offers) == ["home"]
    assert settings.workloads["default"].offers == ("home",)
    assert settings.default_workload == "default"
    assert settings.source is None
    assert settings.notes == ("The embedded model smollm2-135m-instruct is offered as 'home'.",)


def test_own_models_come_before_those_of_vendors(tmp_path: Path) -> None:
    engine = FoundEngine(service=OLLAMA, base_url="http://127.0.0.1:11434/v1", models=("qwen3:8b",))
    key = FoundKey(service=services()["openai"], key=SecretRef("env", "OPENAI_API_KEY"))
    offers, notes = discovered([engine], [key])
    own, home, closed = offers.values()
    assert [own.name, home.name, closed.name] == ["qwen3:8b", "home", "gpt-5.4-mini"]
    assert (own.side, own.clearance, own.key, own.base_url) == (
        "own",
        Clearance(everything=True),
        None,
        "http://127.0.0.1:11434/v1",
    )
    assert (closed.side, closed.clearance, closed.key) == ("closed", Clearance(), key.key)
    assert notes == [
        "Ollama answers at http://127.0.0.1:11434/v1, with qwen3:8b.",
        "The embedded model smollm2-135m-instruct is offered as 'home'.",
        "OPENAI_API_KEY is set, so OpenAI is offered as 'gpt-5.4-mini'.",
    ]


def test_a_name_that_is_taken_gets_the_service_before_it() -> None:
    engines = [
        FoundEngine(service=OLLAMA, base_url="http://127.0.0.1:1/v1", models=("m", "default", "auto", "home")),
        FoundEngine(service=services()["lm-studio"], base_url="http://127.0.0.1:2/v1", models=("m", "a b")),
    ]
    offers, _ = discovered(engines, [])
    assert list(offers) == ["m", "ollama/default", "ollama/auto", "ollama/home", "lm-studio/m", "home"]


def test_a_service_without_a_usual_model_is_told_of_but_not_offered() -> None:
    offers, notes = discovered([], [FoundKey(service=services()["openrouter"], key=SecretRef("env", "X"))])
    assert list(offers) == ["home"]
    assert "which model of OpenRouter to offer must be said" in notes[-1]


def test_a_file_without_offers_gets_the_discovered_ones(tmp_path: Path) -> None:
    file = tmp_path / "isthmus.toml"
    file.write_text('[server]\nbind = "127.0.0.1:9000"')
    settings = read(file, environ={"HOME": str(tmp_path), "MISTRAL_API_KEY": "set"}, ports={})
    assert list(settings.offers) == ["home", "mistral-small-latest"]
    assert settings.server.port == 9000
