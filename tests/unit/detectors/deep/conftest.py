"""Presidio's documented interface, played: the real one needs a language model, which tests do not download."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

NAMES = {"PERSON": "Maria Lopez", "LOCATION": "Berlin"}
MODEL = "en_core_web_sm"


@dataclass(frozen=True)
class Result:
    entity_type: str
    start: int
    end: int
    score: float = 0.85


class AnalyzerEngine:
    def __init__(self, nlp_engine: Any, supported_languages: list[str]) -> None:
        assert supported_languages == ["en"]
        self.model = nlp_engine
        self.longest = 0

    def analyze(self, text: str, language: str, entities: list[str]) -> list[Result]:
        assert language == "en"
        self.longest = max(self.longest, len(text))
        return [
            Result(entity, found.start(), found.end())
            for entity, name in NAMES.items()
            if entity in entities
            for found in re.finditer(name, text)
        ]


class NlpEngineProvider:
    def __init__(self, nlp_configuration: dict[str, Any]) -> None:
        self.model = nlp_configuration["models"][0]["model_name"]

    def create_engine(self) -> str:
        return str(self.model)


@pytest.fixture
def presidio(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Installs Presidio, with a model or without one."""

    def install(with_model: bool) -> None:
        analyzer, engines = ModuleType("presidio_analyzer"), ModuleType("presidio_analyzer.nlp_engine")
        vars(analyzer)["AnalyzerEngine"] = AnalyzerEngine
        vars(engines)["NlpEngineProvider"] = NlpEngineProvider
        monkeypatch.setitem(sys.modules, "presidio_analyzer", analyzer)
        monkeypatch.setitem(sys.modules, "presidio_analyzer.nlp_engine", engines)
        if with_model:
            model: Any = ModuleType(MODEL)
            model.__spec__ = SimpleNamespace(name=MODEL)
            monkeypatch.setitem(sys.modules, MODEL, model)

    return install
