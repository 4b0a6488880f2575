"""`isthmus catalog update`, on the catalog that came along and a state folder of its own."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import trustme
import typer
from tests.unit.catalog.changes.small import contents, listing
from typer.testing import CliRunner
from typing_extensions import override

from isthmus.catalog.bundle import read_bundle, write_bundle
from isthmus.catalog.catalog import SNAPSHOT, Catalog, catalog_of, contents_of, load_catalog, version_of
from isthmus.catalog.feeds.installed import installed
from isthmus.catalog.listing import Snapshot, snapshot_json
from isthmus.cli.catalog import update
from isthmus.connectors.feeds import URLS
from isthmus.domain.errors import ConfigError

TERMS = "terms/openai/api.yaml"
DAY = date(2026, 11, 21)
SMALL = contents()

app = typer.Typer()
app.command()(update.command)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of updates; what came along with isthmus is the small catalog, which is read in no time."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setattr(update, "contents_of", small)
    return tmp_path / "state" / "isthmus" / "catalog"


def small(*, updates: Path | None = None) -> dict[str, bytes]:
    found = dict(SMALL)
    for file in (*updates.rglob("*.yaml"), *updates.rglob("listings.json")) if updates is not None else ():
        found[str(file.relative_to(updates or file))] = file.read_bytes()
    return found


def in_force(state: Path) -> Catalog:
    return catalog_of(small(updates=state))


def run(*arguments: str, expect: int) -> str:
    found = CliRunner().invoke(app, list(arguments))
    if isinstance(found.exception, ConfigError):
        raise found.exception
    assert found.exit_code == expect, found.output
    return found.output


def report(*arguments: str, expect: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run(*arguments, "--json", expect=expect))
    return told


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[Callable[[dict[str, bytes]], None]], str]:
    """Makes a bundle of the catalog that came along, after an edit."""

    def make(edit: Callable[[dict[str, bytes]], None]) -> str:
        files = dict(SMALL)
        edit(files)
        write_bundle(tmp_path / "new.zip", files, made_on=DAY)
        return str(tmp_path / "new.zip")

    return make


Make = Callable[[Callable[[dict[str, bytes]], None]], str]


def mixed(contents: dict[str, bytes]) -> None:
    """Retention goes down, what trains goes up, and a price falls."""
    text = contents[TERMS].decode()
    assert text.count("    value: 30\n") == text.count("    value: opt-in\n") == 1
    contents[TERMS] = (
        text.replace("    value: 30\n", "    value: 0\n").replace("value: opt-in\n", "value: opt-out\n").encode()
    )
    snapshot = msgspec.json.decode(contents[SNAPSHOT])
    (mini,) = (one for one in snapshot["listings"] if (one["provider"], one["api_id"]) == ("openai", "gpt-5.4-mini"))
    mini["price"]["value"]["input"] = "0.6"
    contents[SNAPSHOT] = snapshot_json(msgspec.convert(snapshot, Snapshot))


def nothing(_contents: dict[str, bytes]) -> None: ...


def test_a_bundle_of_what_is_there_changes_nothing(bundle: Make, state: Path) -> None:
    assert "Nothing has changed." in run("--from", bundle(nothing), expect=update.NOTHING)
    assert not state.exists()


def test_changes_are_shown_in_words_and_wait(bundle: Make, state: Path) -> None:
    output = run("--from", bundle(mixed), expect=update.WAITING)
    assert "· gpt-5.4-mini at openai: input $0.75 → $0.60 per million" in output
    assert "! retention of openai/api: 30 days → 0 days" in output
    assert "terms:openai/api:retention.default_days" in output
    assert "· training on inputs of openai/api: opt-in → opt-out" in output
    assert "Nothing was applied." in output
    assert not state.exists()


def test_yes_applies_what_loosens_nothing_and_undo_takes_it_back(bundle: Make, state: Path) -> None:
    file = bundle(mixed)
    told = report("--from", file, "--yes", expect=update.CHANGED)
    done = {change["id"]: change["applied"] for change in told["changes"]}
    assert done == {
        "listings:openai/gpt-5.4-mini:price": True,
        "terms:openai/api:retention.default_days": False,
        "terms:openai/api:training.default": True,
    }
    catalog = in_force(state)
    assert catalog.version == told["catalog_after"]
    terms = catalog.terms["openai/api"]
    assert (terms.retention.default_days.value, terms.training.default.value) == (30, "opt-out")
    held = report("--from", file, "--yes", expect=update.WAITING)
    assert [change["id"] for change in held["changes"]] == ["terms:openai/api:retention.default_days"]
    run("--undo", expect=update.CHANGED)
    assert in_force(state).version == version_of(SMALL)
    assert "No update is applied." in run("--undo", expect=update.NOTHING)


@pytest.mark.parametrize("word", [("--accept", "terms:openai/*"), ("--accept-loosening",)])
def test_a_loosening_is_applied_on_its_own_word(bundle: Make, state: Path, word: tuple[str, ...]) -> None:
    run("--from", bundle(mixed), "--yes", *word, expect=update.CHANGED)
    assert in_force(state).terms["openai/api"].retention.default_days.value == 0
    assert json.loads((state / "applied.json").read_text())["accepted"] == ["terms:openai/api:retention.default_days"]


def test_accepting_a_loosening_alone_applies_nothing_else(bundle: Make, state: Path) -> None:
    told = report("--from", bundle(mixed), "--accept", "terms:openai/api:retention.default_days", expect=update.CHANGED)
    assert [change["id"] for change in told["changes"] if change["applied"]] == [
        "terms:openai/api:retention.default_days"
    ]


def test_a_person_is_asked_and_no_is_the_default(bundle: Make, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.cli.catalog.update._watched", lambda: True)
    file = bundle(mixed)
    found = CliRunner().invoke(app, ["--from", file], input="\n\n")
    assert "Apply the 2 that loosen nothing?" in found.output
    assert "terms: apply the 1 marked ! that loosen?" in found.output
    assert found.exit_code == update.WAITING
    found = CliRunner().invoke(app, ["--from", file], input="y\nn\n")
    assert found.exit_code == update.CHANGED
    assert in_force(state).terms["openai/api"].retention.default_days.value == 30
    found = CliRunner().invoke(app, ["--from", file], input="y\n")
    assert found.exit_code == update.CHANGED
    assert in_force(state).terms["openai/api"].retention.default_days.value == 0


def test_what_is_exported_is_what_another_machine_takes(bundle: Make, state: Path, tmp_path: Path) -> None:
    run("--from", bundle(mixed), "--yes", "--accept-loosening", expect=update.CHANGED)
    exported = report("--export", str(tmp_path / "out.zip"), expect=0)
    here = in_force(state).version
    run("--undo", expect=update.CHANGED)
    run("--from", str(tmp_path / "out.zip"), "--sha256", exported["sha256"], "--yes", "--accept-loosening", expect=3)
    assert in_force(state).version == here
    with pytest.raises(ConfigError, match="not the one that was asked for"):
        run("--from", str(tmp_path / "out.zip"), "--sha256", "0" * 64, expect=1)
    assert SNAPSHOT in read_bundle(tmp_path / "out.zip").contents


def test_a_record_that_is_not_right_changes_nothing(bundle: Make, state: Path) -> None:
    def broken(contents: dict[str, bytes]) -> None:
        contents[TERMS] = contents[TERMS].replace(b"tier: api", b"tier: api\nsecret_field: 1")

    with pytest.raises(ConfigError, match="secret_field"):
        run("--from", bundle(broken), "--yes", expect=1)
    assert not state.exists()


def test_files_that_a_newer_isthmus_would_have_are_told(
    bundle: Make, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = bundle(mixed)
    run("--from", file, "--yes", "--accept-loosening", expect=update.CHANGED)
    newer = {**SMALL, TERMS: SMALL[TERMS] + b"note: newer\n"}
    monkeypatch.setattr(update, "contents_of", lambda updates=None: small(updates=updates) if updates else newer)
    assert "1 file of an earlier update before newer ones" in run("--from", file, expect=update.NOTHING)


def test_of_many_small_changes_the_first_are_shown(bundle: Make) -> None:
    def more(files: dict[str, bytes]) -> None:
        listings = (listing(), *(listing(f"gpt-{number}-x", model=None) for number in range(100, 125)))
        files[SNAPSHOT] = contents(listings=listings)[SNAPSHOT]

    file = bundle(more)
    output = run("--from", file, expect=update.WAITING)
    assert "others (25)" in output
    assert "… and 5 more; --all shows them" in output
    assert "gpt-124-x at openai: new" in run("--from", file, "--all", expect=update.WAITING)


def test_the_catalog_that_came_along_takes_an_update(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "contents_of", contents_of)
    files = contents_of()
    files[TERMS] = files[TERMS].replace(b"value: opt-in\n", b"value: opt-out\n")
    write_bundle(tmp_path / "new.zip", files, made_on=DAY)
    told = report("--from", str(tmp_path / "new.zip"), "--yes", expect=update.CHANGED)
    assert [change["id"] for change in told["changes"]] == ["terms:openai/api:training.default"]
    assert load_catalog(updates=state).version == told["catalog_after"]


# --- from the feeds, at a mirror on loopback


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Its options, and what it has by path; at first the feeds as the installed packages carry them."""
    texts = {f"/{urlsplit(url).hostname}{urlsplit(url).path}": _copies()[feed] for feed, url in URLS.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = texts[self.path]
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        @override
        def log_message(self, format: str, *args: object) -> None: ...

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}", texts
    server.shutdown()
    server.server_close()
    thread.join()


_COPIES: dict[str, bytes] = {}


def _copies() -> Mapping[str, bytes]:
    if not _COPIES:
        _COPIES.update({feed: copy.text for feed, copy in installed(DAY).items()})
    return _COPIES


Mirror = tuple[str, dict[str, bytes]]


def options(mirror: Mirror, tmp_path: Path) -> tuple[str, ...]:
    return "--mirror", mirror[0], "--ca-file", str(tmp_path / "ca.pem")


def test_a_price_that_the_feeds_change_is_found_and_applied(mirror: Mirror, tmp_path: Path, state: Path) -> None:
    url, texts = mirror
    prices = "/raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json"
    found = json.loads(texts[prices])
    (mini,) = (m for p in found if p["id"] == "openai" for m in p["models"] if m["id"] == "gpt-5.4-mini")
    mini["prices"]["input_mtok"] = "0.60"
    texts[prices] = json.dumps(found).encode()
    told = report(*options(mirror, tmp_path), "--yes", expect=update.CHANGED)
    says = {change["id"]: change["says"] for change in told["changes"]}["listings:openai/gpt-5.4-mini:price"]
    assert "gpt-5.4-mini at openai: input $0.75 → $0.60" in says
    listed = in_force(state).listed("openai", "gpt-5.4-mini")
    assert listed is not None
    assert listed.price.value is not None
    assert str(listed.price.value.input) == "0.60"
    sources = in_force(state).snapshot.sources
    assert sources["genai-prices"].url == f"{url}{prices}"
    assert sources["genai-prices"].content_sha256 == told["sha256"]["genai-prices"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{", "The feed models-dev is not of its form"),
        (b'{"openai": 1}', "The feed models-dev is not of its form"),
        (b"[]", "The feed models-dev is not of its form"),
    ],
)
def test_a_feed_that_is_broken_changes_nothing(
    mirror: Mirror, tmp_path: Path, state: Path, text: bytes, says: str
) -> None:
    mirror[1]["/models.dev/api.json"] = text
    with pytest.raises(ConfigError, match=says):
        run(*options(mirror, tmp_path), "--yes", expect=1)
    assert not state.exists()


def test_feeds_that_lost_most_of_their_models_are_taken_for_broken(mirror: Mirror, tmp_path: Path, state: Path) -> None:
    for path, text in mirror[1].items():
        mirror[1][path] = b"{}" if text.startswith(b"{") else b"[]"
    with pytest.raises(ConfigError, match="The feeds list 0 models"):
        run(*options(mirror, tmp_path), "--yes", expect=1)
    assert not state.exists()
