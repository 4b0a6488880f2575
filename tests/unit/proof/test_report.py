"""The report says what was found, and is a page that stands alone."""

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from tests.unit.proof.stages import SMALL, proved, written
from typing_extensions import override

from isthmus.app import App
from isthmus.perimeter.perimeter import Perimeter
from isthmus.proof.page import page
from isthmus.proof.report import report

pytestmark = pytest.mark.anyio

VOID = {"meta"}


class _Checked(HTMLParser):
    """Refuses tags that do not close and whatever is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img", "iframe"}
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def whole(text: str) -> str:
    parser = _Checked()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return text


async def test_it_tells_violations_and_how_to_repeat_them(tmp_path: Path) -> None:
    def tamper(app: App) -> None:
        app.gate.perimeter = Perimeter()

    proof = await proved(written(tmp_path, SMALL), tamper=tamper)
    told = report(proof)
    assert not told["holds"]
    assert {row["label"] for row in told["violations"]} >= {"phi", "pii"}
    assert told["counts"]["forbidden"] > 0
    assert told["repeat"] == f"isthmus perimeter test --config {tmp_path / 'isthmus.toml'} --quick"
    shown = whole(page(told))
    assert "FORBIDDEN" in shown
    assert "gpt is not cleared for label &#x27;phi&#x27;: it is closed, not own." in shown
    assert msgspec.json.decode(msgspec.json.encode(told))["settings"]["sha256"] == proof.settings_hash
    assert len(proof.settings_hash or "") == 64


async def test_a_page_of_what_holds_says_so_and_escapes_names(tmp_path: Path) -> None:
    bare = SMALL[: SMALL.index("[labels.phi]")]
    told = report(await proved(written(tmp_path, bare)))
    told["offers"][0]["model"] = "<b>&"
    shown = whole(page(told))
    assert "Nothing crossed that the rules forbid" in shown
    assert "&lt;b&gt;&amp;" in shown
