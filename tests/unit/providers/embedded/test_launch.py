from pathlib import Path

import pytest

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Engine, Offer, Weights
from isthmus.providers.embedded.launch import Launch, cores, default_threads, environment, launch


def offer(engine: Engine | None) -> Offer:
    return Offer(
        name="home", model="m", provider="embedded", dialect="openai-chat", base_url="", side="own", engine=engine
    )


def test_an_engine_leaves_one_core_to_the_rest_unless_told() -> None:
    weights = Weights(ref="/w.gguf")
    assert default_threads() == max(1, cores() - 1)
    assert launch(offer(Engine(weights=weights)), Path("/w.gguf"), api_key="k").threads == default_threads()
    assert launch(offer(Engine(weights=weights, threads=1)), Path("/w.gguf"), api_key="k").threads == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_tokens", 1),  # llama.cpp aborts on this one
        ("batch_tokens", 0),
        ("context_tokens", 0),
        ("context_tokens", -1),
        ("context_tokens", 10**9),
        ("threads", 0),
        ("threads", 513),
        ("parallel", 0),
        ("parallel", 1000),
    ],
)
def test_a_parameter_that_llama_cpp_could_abort_on_never_reaches_it(name: str, value: int) -> None:
    fit = {"context_tokens": 4096, "threads": 1, "parallel": 1, "batch_tokens": 512}
    with pytest.raises(ConfigError, match=f"{name} = {value}"):
        Launch(path="/w.gguf", model="m", api_key="k", **{**fit, name: value})


def test_an_offer_without_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="says no weights"):
        launch(offer(None), Path("/w.gguf"), api_key="k")


def test_an_engine_is_not_started_without_a_key() -> None:
    with pytest.raises(ConfigError, match="key"):
        launch(offer(Engine(weights=Weights(ref="/w.gguf"))), Path("/w.gguf"), api_key="")


def test_no_credential_of_ours_is_in_the_environment_of_an_engine() -> None:
    own = {"PATH": "/bin", "OPENAI_API_KEY": "secret", "AWS_SECRET_ACCESS_KEY": "secret", "CUDA_VISIBLE_DEVICES": "0"}
    assert environment(own) == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "GGML_NO_BACKTRACE": "1"}
