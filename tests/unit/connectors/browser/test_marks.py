"""Who could have written a page, and who may read it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.servers.pages import Page
from tests.unit.connectors.browser.conftest import Hands, element

from isthmus.agent.marks import EVERYONE, UNKNOWN, Mark, Origin, Party, Readers
from isthmus.connectors.browser.account import Account, profile_folder
from isthmus.connectors.browser.quarantine import safe_name, save
from isthmus.connectors.browser.visits import Visits
from isthmus.domain.errors import ToolError
from isthmus.domain.label import Label

pytestmark = pytest.mark.anyio
PHI = Mark(labels=frozenset({Label("phi")}), origins=frozenset({UNKNOWN}))


def _only(*hosts: str) -> Readers:
    return Readers(frozenset(Party(f"https://{host}") for host in hosts))


async def test_what_anybody_would_be_shown_is_for_everyone(hands: Hands) -> None:
    url = hands.sites.put("news.test", "/", Page(body="<p>News</p>", headers=(("set-cookie", "visitor=7"),)))
    for _ in range(2):  # a cookie that was set for a stranger says nobody's name
        page = await hands.open(url)
        assert page.fields["text"].mark.readers == EVERYONE
        assert page.fields["text"].mark.labels == {"internal"}
        assert page.fields["text"].mark.origins == {"web:news.test"}


async def test_with_cookies_from_before_a_page_is_for_the_user_and_the_host(hands: Hands) -> None:
    url = hands.sites.put("news.test", "/", Page(body="<p>Hello, Ada</p>"))
    page = await hands.open(url)
    assert hands.tools._running is not None
    inner = hands.tools._running[0]
    await inner._context.add_cookies([{"name": "session", "value": "1", "url": url}])
    inner._visits._anonymous.clear()  # as in another session
    page = await hands.open(url)
    assert page.fields["text"].mark.readers == _only("news.test")


async def test_a_page_that_shows_what_a_host_with_cookies_gave_is_no_public_page(hands: Hands) -> None:
    widget = hands.sites.put("widget.test", "/w", "<p>Hello, Ada</p>")
    url = hands.sites.put("news.test", "/", f"<p>News</p><iframe src='{widget}'></iframe>")
    await hands.open(url)
    assert hands.tools._running is not None
    inner = hands.tools._running[0]
    await inner._context.add_cookies([{"name": "session", "value": "1", "url": widget}])
    inner._visits._anonymous.clear()
    page = await hands.open(url)
    assert page.items[0].fields["text"].mark.readers == _only("news.test", "widget.test")


async def test_where_the_user_is_logged_in_pages_are_for_the_user_and_the_host(hands: Hands) -> None:
    page = await hands.open(hands.sites.put("bank.test", "/", "<p>Balance: 12</p>"))
    assert page.fields["text"].mark.readers == _only("bank.test")


async def test_what_was_typed_comes_back_with_its_labels(hands: Hands) -> None:
    url = hands.sites.put("shop.test", "/", "<input aria-label=Note>")
    page = await hands.open(url)
    typed = await hands.do("type", {"text": PHI}, element=element(page, "textbox"), text="ill since May")
    for shown in (typed.items[0], await hands.open(url)):
        assert shown.fields["text"].mark.labels == {"internal", "phi"}
        assert shown.fields["text"].mark.readers == _only("shop.test")
    image = (await hands.do("screenshot")).image
    assert image is not None
    assert image.mark.labels == {"internal", "phi"}


async def test_a_page_by_a_secret_address_is_for_those_who_know_the_address(hands: Hands) -> None:
    known = Mark(
        readers=Readers(frozenset({Party("mailto:alice@example.org")})),
        origins=frozenset({Origin("mail:alice@example.org")}),
    )
    page = await hands.open(hands.sites.put("news.test", "/", "<p>Your invitation</p>"), {"url": known})
    assert page.fields["text"].mark.readers == known.readers


async def test_without_encryption_anybody_may_have_written_it(hands: Hands) -> None:
    reach = hands.tools._reach
    url = hands.sites.put("news.test", "/", "<p>News</p>")
    await hands.open(url)
    allowed, reach._allow = reach._allow, frozenset()
    try:
        page = (await hands.do("snapshot")).items[0]
    finally:
        reach._allow = allowed
    assert page.fields["text"].mark.origins == {"web:news.test", UNKNOWN}


async def test_after_a_crash_nobody_knows_whether_it_was_clicked(hands: Hands) -> None:
    page = await hands.open(hands.sites.put("news.test", "/", "<button>Go</button>"))
    with pytest.raises(ToolError, match="cannot be told"):
        await hands.tools.find_done(hands.grant("browser_click", element=element(page, "Go")))
    assert await hands.tools.find_done(hands.grant("browser_snapshot")) is None


def test_what_hosts_know_outlives_the_browser(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    visits = Visits(file, logins=["bank.test"])
    visits.tell(["shop.test"], frozenset({Label("phi")}))
    visits.tell(["shop.test"], frozenset({Label("pii")}))
    again = Visits(file)
    assert again.knowing == {"shop.test"}
    assert again.labels(["shop.test", "news.test"]) == {"phi", "pii"}
    assert visits.knowing == {"shop.test", "bank.test"}
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("{")
    with pytest.raises(ToolError, match="cannot be told"):
        Visits(file)


def test_what_cannot_be_kept_track_of_is_not_typed(tmp_path: Path) -> None:
    visits = Visits(tmp_path / "gone" / "told.json")
    with pytest.raises(ToolError, match="so nothing is"):
        visits.tell(["shop.test"], frozenset())
    assert visits.knowing == frozenset()


def test_after_something_was_told_no_cookie_is_a_strangers(tmp_path: Path) -> None:
    visits = Visits(tmp_path / "told.json")
    visits.greet(["www.news.test"])
    assert visits.is_stranger_to("www.news.test", ["news.test"])
    visits.tell(["login.test"], frozenset())
    assert not visits.is_stranger_to("www.news.test", ["news.test"])
    assert not visits.is_stranger_to("login.test", [])
    assert visits.is_stranger_to("other.test", ["news.test"])


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../.bashrc", "_.._.bashrc"), ("", "download"), ("-rf", "rf"), ("a/b\\c:d", "a_b_c_d"), ("...", "download"),
        ("x\u202egpj.exe", "x_gpj.exe"), ("report.pdf", "report.pdf"), ("a\x00b\n.txt", "a_b_.txt"),
    ],
)  # fmt: skip
def test_names_of_files_do_no_harm(given: str, safe: str) -> None:
    assert safe_name(given) == safe
    assert len(safe_name(given * 100 + "é" * 300).encode()) <= 120


def test_no_file_is_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "down"
    first, second = save(folder, "a.txt", b"1"), save(folder, "a.txt", b"2")
    assert (first.path.name, second.path.name) == ("a.txt", "a (2).txt")
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_account_names_hosts_in_normal_form() -> None:
    Account(allow=("intranet", "10.0.0.5:8080"), logins=("bank.example.org",))
    for wrong in ("https://x.org", "X.org", "x.org/path", "user@x.org", "0x7f.1", ""):
        with pytest.raises(ValueError, match="no name of a host"):
            Account(allow=(wrong,))
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"alow": []}, Account)


def test_the_profile_lies_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert profile_folder("surf", Account()) == tmp_path / "isthmus" / "browser" / "surf"
    assert profile_folder("surf", Account(profile="/x")) == Path("/x")


async def test_the_profile_is_the_users_alone(hands: Hands) -> None:
    await hands.tools.check()
    assert hands.tools._profile.stat().st_mode & 0o777 == 0o700
