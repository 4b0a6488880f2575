"""What is checked is what is opened: an address has one normal form, or none."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.web.addresses import address, is_public
from isthmus.domain.errors import ToolError

_label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_host = st.lists(_label, min_size=1, max_size=3).map(".".join).map(lambda host: f"{host}.test")
_rest = st.from_regex(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,30}", fullmatch=True)
_private4 = st.sampled_from(
    ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "0.0.0.0/8"]
).flatmap(lambda network: st.ip_addresses(network=network))


@given(st.sampled_from(["http", "https", "HTTPS"]), _host, st.none() | st.integers(1, 65535), _rest)
def test_the_normal_form_is_normal_and_reads_the_same(scheme: str, host: str, port: int | None, rest: str) -> None:
    try:
        found = address(f"{scheme}://{host.upper()}{'' if port is None else f':{port}'}{rest}")
    except ToolError:
        assert host.split(".", maxsplit=1)[0].startswith("xn--") or "--" in host
        return
    assert address(str(found)) == found
    again = urlsplit(str(found))
    assert again.hostname == found.host == host
    assert again.username is None
    assert (again.port or {"http": 80, "https": 443}[again.scheme]) == found.port


@given(st.text(max_size=60))
def test_any_text_is_an_address_in_normal_form_or_none(text: str) -> None:
    for written in (text, f"https://{text}", f"https://example.org/{text}", f"https://{text}@example.org/"):
        try:
            found = address(written)
        except ToolError:
            continue
        assert address(str(found)) == found
        assert str(found).isascii()
        assert " " not in str(found)
        assert urlsplit(str(found)).hostname == found.host
        assert found.scheme in {"http", "https"}


@given(st.text(max_size=60), _host)
def test_what_is_relative_stays_an_address_of_the_web(text: str, host: str) -> None:
    base = address(f"https://{host}/a/b")
    try:
        found = address(text, base=base)
    except ToolError:
        return
    assert address(str(found)) == found


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("example.org", "https://example.org/"),
        ("Example.ORG./a#b", "https://example.org/a"),
        ("http://example.org:80?x", "http://example.org/?x"),
        ("https://example.org:8443", "https://example.org:8443/"),
        ("https://münchen.example/straße", "https://xn--mnchen-3ya.example/stra%C3%9Fe"),
        ("https://EXAMPLE。org/", "https://example.org/"),
        ("http://[2606:4700:0::1111]/", "http://[2606:4700::1111]/"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
    ],
)
def test_spellings_of_one_address_are_one(written: str, normal: str) -> None:
    assert str(address(written)) == normal


@pytest.mark.parametrize(
    "written",
    [
        "", "file:///etc/passwd", "data:text/html,x", "javascript:alert(1)", "view-source:https://x.org", "//x.org",
        "https://user@x.org/", "https://user:pw@x.org/", "https://x.org\\@y.org/", "https:\\\\x.org", "https:x.org",
        "https://x.org\t.y.org/", "https://x\u200b.org/", "https://x.org:0/", "https://x.org:70000/", "https://x.org:/",
        "http://127.1/", "http://0177.0.0.1/", "http://0x7f000001/", "http://2130706433/", "http://127.0.0.1.0x1/",
        "http://[::1%25lo]/", "http://[::1/", "https://straße.de/", "https://a..b/", "https://-.org/", "https://%65.org/",
        "https://x.org,y.org/", "https://①②⑦.①/", "https://" + "a" * 300 + ".org/", "https://x.org/" + "a" * 5000,
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_none(written: str) -> None:
    with pytest.raises(ToolError):
        address(written)


@given(_private4)
def test_what_is_private_is_private_in_any_wrapping(ip: ipaddress.IPv4Address) -> None:
    number = int(ip)
    wrapped = [
        f"::ffff:{ip}",
        f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}",
        f"::{number >> 16:x}:{number & 0xFFFF:x}",
    ]
    wrapped.append(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1")
    assert not is_public(ip)
    assert not any(is_public(ipaddress.ip_address(one)) for one in wrapped)


@given(st.ip_addresses(v=6))
def test_public_addresses_are_global_and_lead_nowhere_else(ip: ipaddress.IPv6Address) -> None:
    if is_public(ip):
        assert not ip.is_loopback
        assert not ip.is_link_local
        assert not ip.is_multicast
        assert ip.ipv4_mapped is None or is_public(ip.ipv4_mapped)


@pytest.mark.parametrize("ip", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_the_open_internet_is_public(ip: str) -> None:
    assert is_public(ipaddress.ip_address(ip))
