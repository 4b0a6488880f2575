"""Our order of versions is that of the packaging library, of SemVer, and of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from isthmus.doctor.advisories.versions import key

NUMBERS = st.integers(0, 30).map(str)
PARTS = st.builds(
    lambda epoch, release, pre, post, dev, local: f"{epoch}{release}{pre}{post}{dev}{local}",
    st.sampled_from(["", "1!", "0!"]),
    st.lists(NUMBERS, min_size=1, max_size=4).map(".".join),
    st.sampled_from(["", "a1", "b2", "rc1", "rc", ".alpha3", "-beta-4", "c5", "pre6"]),
    st.sampled_from(["", ".post1", "-2", "rev3", ".post"]),
    st.sampled_from(["", ".dev0", "dev1", "-dev2"]),
    st.sampled_from(["", "+cu121", "+1.2", "+a.1"]),
)


@given(PARTS, PARTS)
def test_versions_of_python_packages_compare_as_the_packaging_library_says(one: str, other: str) -> None:
    first, second = key("PyPI", one), key("PyPI", other)
    assert first is not None
    assert second is not None
    assert (first < second, first == second) == (Version(one) < Version(other), Version(one) == Version(other))


@given(st.text(alphabet="0123456789.abcrdevpost+-!v ", max_size=14))
def test_what_is_no_version_there_is_none_here(text: str) -> None:
    try:
        Version(text)
    except InvalidVersion:
        assert key("PyPI", text) is None
    else:
        assert key("PyPI", text) is not None


SEMVER = (
    "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.10.0"
)


@pytest.mark.parametrize("ecosystem", ["Go", "npm"])
def test_versions_compare_as_semver_says(ecosystem: str) -> None:
    """The example of the specification, section 11."""
    keys = [key(ecosystem, version) for version in SEMVER.split()]  # type: ignore[arg-type]
    assert keys == sorted(keys, key=lambda found: found or ())
    assert len(set(keys)) == len(keys)


def test_builds_compare_as_numbers_however_they_are_written() -> None:
    forms = ("b8492", "8492", "b8492-1a2b3c4", "version: 8492 (1a2b3c4)", " 8492 ")
    assert {key("llama.cpp", text) for text in forms} == {(8492,)}
    assert key("llama.cpp", "b999") < key("llama.cpp", "b1000")  # type: ignore[operator]
    assert key("llama.cpp", "master") is None


@given(st.text(max_size=200), st.sampled_from(["PyPI", "Go", "npm", "llama.cpp"]))
def test_any_text_is_a_version_or_none(text: str, ecosystem: str) -> None:
    key(ecosystem, text)  # type: ignore[arg-type]
