"""Search services are asked as their documentation says; stand-ins refuse what it does not say."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.servers.pages import Answer, Asked, Page, Sites
from tests.unit.connectors.web.conftest import Web

from isthmus.agent.marks import EVERYONE, ONLY_THE_USER, UNKNOWN, Mark
from isthmus.connectors.web.account import Account, Search
from isthmus.connectors.web.services import services
from isthmus.domain.errors import ToolError
from isthmus.domain.offer import SecretRef

pytestmark = pytest.mark.anyio
Made = Callable[..., Web]
KEY = SecretRef("env", "SEARCH_KEY")
FOUND = [
    ("Tea <b>shop</b>", "https://shop.test/tea", "All <strong>teas</strong> &amp; more"),
    ("Bad", "javascript:alert(1)", "x"),
    ("News", "https://news.test/", "Tea in the news"),
]


def _json(value: object) -> Page:
    return Page(body=json.dumps(value), media_type="application/json")


def _searxng(asked: Asked) -> Page:
    if asked.method != "GET" or asked.query != {"format": "json", "q": "green tea"}:
        return Page(status=400)
    return _json({"query": "green tea", "results": [{"title": t, "url": u, "content": c} for t, u, c in FOUND]})


def _brave(asked: Asked) -> Page:
    if asked.headers.get("x-subscription-token") != f"the secret of {KEY}" or asked.method != "GET":
        return Page(status=422)
    if asked.query != {"q": "green tea", "count": "5"}:
        return Page(status=422)
    return _json(
        {"type": "search", "web": {"results": [{"title": t, "url": u, "description": c} for t, u, c in FOUND]}}
    )


def _tavily(asked: Asked) -> Page:
    if asked.headers.get("authorization") != f"Bearer the secret of {KEY}" or asked.method != "POST":
        return Page(status=401)
    if json.loads(asked.body) != {"query": "green tea", "max_results": 5}:
        return Page(status=400)
    return _json({"results": [{"title": t, "url": u, "content": c, "score": 0.5} for t, u, c in FOUND]})


SERVICES: dict[str, Answer] = {"searxng": _searxng, "brave": _brave, "tavily": _tavily}


def test_each_service_has_a_stand_in() -> None:
    assert set(SERVICES) == set(services())
    assert all(service.source.startswith("https://") for service in services().values())


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_found_is_told_with_marks(sites: Sites, web: Made, service: str) -> None:
    sites.put("search.test", services()[service].path, SERVICES[service])
    key = None if service == "searxng" else KEY
    tools = web(sites, search=Search(service=service, url=sites.at("search.test", "").rstrip("/"), key=key))  # type: ignore[arg-type]
    assert tools.tools.parties("web_search", "query", "x") == ("https://search.test",)
    found = (await tools.do("web_search", query="green tea")).items
    assert [(one.fields["title"].value, one.fields["url"].value, one.fields["text"].value) for one in found] == [
        ("Tea shop", "https://shop.test/tea", "All teas & more"),
        ("News", "https://news.test/", "Tea in the news"),
    ]
    mark = found[0].fields["text"].mark
    assert mark.origins == {"web:shop.test", "web:search.test"}
    assert mark.readers == EVERYONE


async def test_what_a_private_query_finds_is_as_private(sites: Sites, web: Made) -> None:
    sites.put("search.test", "/search", _searxng)
    tools = web(sites, search=Search(service="searxng", url=sites.at("search.test")))
    mark = Mark(readers=ONLY_THE_USER, origins=frozenset({UNKNOWN}))
    (first, _) = (await tools.do("web_search", {"query": mark}, query="green tea")).items
    assert first.fields["text"].mark.readers == ONLY_THE_USER


@pytest.mark.parametrize(
    "page",
    [
        Page(body="[]"), Page(body="<html>"), Page(body='{"results": 5}'), Page(status=500),
        Page(status=302, headers=(("location", "http://news.test/"),)),
    ],
)  # fmt: skip
async def test_a_service_that_answers_otherwise_gives_nothing(sites: Sites, web: Made, page: Page) -> None:
    sites.put("search.test", "/search", page)
    tools = web(sites, search=Search(service="searxng", url=sites.at("search.test")))
    if page.body == "[]":
        assert (await tools.do("web_search", query="tea")).items == ()
    else:
        with pytest.raises(ToolError):
            await tools.do("web_search", query="tea")
    assert sites.hosts() == {"search.test"}


async def test_without_a_service_there_is_no_searching(sites: Sites, web: Made) -> None:
    tools = web(sites)
    assert [spec.name for spec in tools.tools.specs] == ["web_fetch"]
    with pytest.raises(ToolError):
        await tools.do("web_search", query="tea")


def test_a_service_is_told_all_it_needs() -> None:
    with pytest.raises(ValueError, match="needs its url"):
        Account(search=Search(service="searxng"))
    with pytest.raises(ValueError, match="needs a key"):
        Account(search=Search(service="brave"))
    with pytest.raises(ValueError, match="without encryption"):
        Account(search=Search(service="searxng", url="http://search.example.org"))
