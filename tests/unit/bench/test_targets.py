"""The settings that targets are started with."""

from __future__ import annotations

import hashlib
import tomllib

import pytest
from bench.goals import OURS, TRANSLATING
from bench.scenarios import MODELS, SCENARIOS, TRANSLATED
from bench.targets import KEY, TARGETS, USUAL, isthmus_settings


def test_isthmus_is_measured_with_key_price_and_a_workload_for_every_model() -> None:
    settings = tomllib.loads(isthmus_settings("vllm", "http://127.0.0.1:9100/v1").replace("{port}", "8090"))
    assert settings["keys"]["bench"]["hash"] == "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()
    assert set(MODELS) <= set(settings["workloads"])
    for offer in settings["offers"].values():
        assert float(offer["price"]["output"]) > 0


def test_one_workload_alone_is_called_otherwise_than_its_model() -> None:
    settings = tomllib.loads(isthmus_settings("vllm", "http://127.0.0.1:9100/v1"))
    served = {name: settings["offers"][row["offers"][0]]["model"] for name, row in settings["workloads"].items()}
    assert [name for name, model in served.items() if model != name] == ["renamed-mock-d0-p0-n100"]


@pytest.mark.parametrize("name", [OURS, TRANSLATING, "nginx", "direct", "tensorzero", "litellm"])
def test_what_the_goals_compare_is_measured_without_being_asked_for(name: str) -> None:
    assert name in TARGETS
    assert name in USUAL


def test_translation_is_measured_in_known_scenarios() -> None:
    assert set(SCENARIOS) >= TRANSLATED
