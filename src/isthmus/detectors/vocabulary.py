"""Lists of words, kept as data beside the rules: separated by commas and line ends, `#` for comments."""

from __future__ import annotations

from importlib.resources import files


def read_words(name: str) -> tuple[str, ...]:
    """The words of a list in `detectors/rules/words/`."""
    text = (files("isthmus.detectors.rules") / "words" / name).read_text("utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(dict.fromkeys(word for line in lines for word in (part.strip() for part in line.split(",")) if word))
