"""A key that may read settings goes over TLS to one address, and what comes back is small and in time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from tests.unit.providers.accounts.conftest import ACCOUNT_KEY, Standin

from isthmus.domain.errors import ConfigError, UpstreamMalformed, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from isthmus.providers.accounts import asking
from isthmus.providers.accounts.asking import ask
from isthmus.providers.accounts.probe import Question

Serve = Callable[..., Standin]


def test_an_answer_comes_back_as_it_was_given(serve: Serve) -> None:
    standin = serve({"/setting?v=1": (200, {"mode": "none"})})
    answer = ask(Question(url=f"{standin.address}/setting?v=1"), ACCOUNT_KEY)
    assert (answer.status, answer.body) == (200, b'{"mode": "none"}')
    assert standin.asked == [("/setting?v=1", f"Bearer {ACCOUNT_KEY}")]


def test_tls_is_checked_against_the_authorities_that_are_trusted(serve: Serve, tmp_path: Path) -> None:
    authority = trustme.CA()
    standin = serve({"/setting": (200, {})}, ca=authority)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    assert ask(Question(url=f"{standin.address}/setting"), ACCOUNT_KEY, ca_file=str(trusted)).status == 200
    with pytest.raises(UpstreamUnreachable, match="SSLCertVerificationError"):
        ask(Question(url=f"{standin.address}/setting"), ACCOUNT_KEY)
    assert len(standin.asked) == 1


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/setting", "http://example.test/setting", "ftp://127.0.0.1/", "/setting"]
)
def test_without_tls_a_key_goes_to_this_machine_alone(url: str) -> None:
    with pytest.raises(ConfigError, match="over https alone"):
        ask(Question(url=url), ACCOUNT_KEY)


def test_a_wrong_key_is_told_without_the_key_and_without_what_the_provider_said_of_it(serve: Serve) -> None:
    standin = serve({"/setting": (200, {})})
    with pytest.raises(ConfigError) as raised:
        ask(Question(url=f"{standin.address}/setting"), "a-wrong-key")
    assert "(401)" in raised.value.sentence
    assert "a-wrong-key" not in raised.value.sentence


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    elsewhere = serve({"/setting": (200, {"mode": "none"})})
    standin = serve({"/setting": (307, f"{elsewhere.address}/setting")})
    with pytest.raises(UpstreamMalformed, match="redirects elsewhere"):
        ask(Question(url=f"{standin.address}/setting"), ACCOUNT_KEY)
    assert elsewhere.asked == []


def test_an_answer_that_is_too_long_is_not_read(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LIMIT", 100)
    standin = serve({"/short": (200, b"x" * 100), "/long": (200, b"x" * 101)})
    assert len(ask(Question(url=f"{standin.address}/short"), ACCOUNT_KEY).body) == 100
    with pytest.raises(UpstreamMalformed, match="more than 100 bytes"):
        ask(Question(url=f"{standin.address}/long"), ACCOUNT_KEY)


def test_an_answer_that_does_not_end_is_given_up(serve: Serve) -> None:
    standin = serve({"/setting": (200, "hold")})
    with pytest.raises(UpstreamTimeout, match=r"within 0\.2 seconds"):
        ask(Question(url=f"{standin.address}/setting"), ACCOUNT_KEY, seconds=0.2)


def test_nobody_there_is_told() -> None:
    with pytest.raises(UpstreamUnreachable, match="ConnectionRefusedError"):
        ask(Question(url="http://127.0.0.1:1/setting"), ACCOUNT_KEY)


def test_what_is_not_there_is_a_mistake_unless_it_is_an_answer(serve: Serve) -> None:
    standin = serve({})
    with pytest.raises(ConfigError, match="knows nothing at /project"):
        ask(Question(url=f"{standin.address}/project"), ACCOUNT_KEY)
    assert ask(Question(url=f"{standin.address}/response", may_be_missing=True), ACCOUNT_KEY).status == 404


@pytest.mark.parametrize(("status", "ours"), [(429, 429), (500, 502), (503, 503)])
def test_other_failures_keep_their_status(serve: Serve, status: int, ours: int) -> None:
    standin = serve({"/setting": (status, {})})
    with pytest.raises(UpstreamRefused) as raised:
        ask(Question(url=f"{standin.address}/setting"), ACCOUNT_KEY)
    assert raised.value.status == ours
