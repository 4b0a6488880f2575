"""Texts of licences: what makes no difference to their hash, and what does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.catalog.catalog import Catalog
from isthmus.catalog.licensing.text import digest, recognise, without_holders

MIT = """MIT License

Copyright (c) {holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abcdefgXYZ0189", min_size=1), min_size=1), st.data())
def test_wrapping_makes_no_difference(words: list[str], data: st.DataObject) -> None:
    gaps = st.sampled_from([" ", "\n", "\r\n", "\t", "   ", "\n\n    "])
    wrapped = "".join(word + data.draw(gaps) for word in words)
    assert digest(wrapped.encode()) == digest(" ".join(words).encode())


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abcdefg0123456789", min_size=1), min_size=1), st.text(alphabet="abc1$%<", min_size=1))
def test_a_word_more_makes_a_difference(words: list[str], word: str) -> None:
    assert digest(" ".join([*words, word]).encode()) != digest(" ".join(words).encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('the "Software"', "the “Software”"),
        ("## 2. License\n\n**2.1** Grant", "2. License 2.1 Grant"),
        ("\ufeffText", "text"),
        ("see https://example.org/x", "see http://example.org/x"),
        ("a non-exclusive right", "a non\u2013exclusive\nright"),
    ],
)
def test_ways_of_writing_make_no_difference(one: str, other: str) -> None:
    assert digest(one.encode()) == digest(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("more than $20 million", "more than €20 million"),
        ("you may", "you may not"),
        ("100,000,000 users", "700,000,000 users"),
        ("commercial use", "non-commercial use"),
    ],
)
def test_another_word_or_sum_makes_a_difference(one: str, other: str) -> None:
    assert digest(one.encode()) != digest(other.encode())


@pytest.mark.parametrize(
    "holder",
    [
        "2023 DeepSeek",
        "2025 Moonshot AI",
        "2020-2026, The Authors of Example and contributors. All rights reserved.",
        "Pydantic Services Inc. 2025 to present",
        "[year] [fullname]",
    ],
)
def test_the_mit_license_is_known_whoever_holds_the_copyright(holder: str, catalog: Catalog) -> None:
    found = recognise(MIT.format(holder=holder).encode(), catalog)
    assert found is not None
    assert found.id == "MIT"


@pytest.mark.parametrize(
    "text",
    [
        MIT.format(holder="2023 DeepSeek") + "\nCommercial use needs a separate licence.\n",
        MIT.format(holder="2023 DeepSeek, for use in research only"),
        MIT.format(holder="2023 DeepSeek").replace("sublicense, and/or sell", "and sublicense"),
        "",
        "Everybody may do as they please.",
    ],
)
def test_a_text_with_something_in_it_is_not_taken_for_the_licence(text: str, catalog: Catalog) -> None:
    assert recognise(text.encode(), catalog) is None


def test_bytes_that_are_no_text_are_no_licence(catalog: Catalog) -> None:
    assert recognise(b"\xff\xfe\x00\x01" * 10, catalog) is None


def test_only_lines_of_holders_are_left_out() -> None:
    text = "Copyright 2024 Example Ltd.\nThe copyright holders grant nothing.\nCopyright law applies to you."
    assert without_holders(text) == "The copyright holders grant nothing.\nCopyright law applies to you."
