"""Whether a mail comes from the domain in its From, as the user's own server found when it came in (RFC 8601).

Only the field that the user's own server wrote counts, told by its name (authserv-id). A server has to take out such
fields of its name that came with the mail (RFC 8601, section 5); where one was left in and says something else than
the server's own, the mail counts as unverified. What is proven is the domain: within it, one person can write in the
name of another if their server lets them.
"""

from __future__ import annotations

import re

from isthmus.connectors.mail.addresses import domain_of
from isthmus.connectors.mail.headers import Headers

_RESULT = re.compile(r"\s*([A-Za-z0-9-]{1,30})\s*=\s*([A-Za-z]{1,30})\b")
_PROPERTY = re.compile(r"([a-z]{1,10})\.([A-Za-z0-9-]{1,30})\s*=\s*\"?([^\s;\"]{1,320})")


def verified(headers: Headers, sender: str, authserv: str | None) -> bool:
    """Whether the domain of the sender is proven by DMARC, DKIM or SPF.

    Args:
        headers: of the mail, those that servers added among them.
        sender: the address in From, in normal form.
        authserv: the name by which the user's own server signs its findings. None: it is not known.
    """
    if authserv is None:
        return False
    findings = [
        results for value in headers.all("authentication-results") if (results := _results(value, authserv)) is not None
    ]
    return bool(findings) and all(_proves(results, domain_of(sender)) for results in findings)


def _results(value: str, authserv: str) -> list[str] | None:
    """The results in a field that a server wrote. None: another server wrote it."""
    identity, *results = _without_comments(value).split(";")
    words = identity.split()
    if not words or words[0].strip('"').lower() != authserv.lower():
        return None
    return results


def _proves(results: list[str], domain: str) -> bool:
    return any(_one_proves(result, domain) for result in results)


def _one_proves(result: str, domain: str) -> bool:
    method = _RESULT.match(result)
    if method is None or method[2].lower() != "pass":
        return False
    found: dict[str, str] = {
        f"{kind}.{name}".lower(): value.lower() for kind, name, value in _PROPERTY.findall(result[method.end() :])
    }
    match method[1].lower():
        case "dmarc":
            return found.get("header.from") == domain
        case "dkim":
            signer = found.get("header.d") or found.get("header.i", "").rpartition("@")[2]
            return _aligned(signer, domain)
        case "spf":
            return found.get("smtp.mailfrom", "").rpartition("@")[2] == domain
        case _:
            return False


def _aligned(signer: str, domain: str) -> bool:
    """Whether a signature of that domain speaks for an address in this one: the same, or one above it."""
    return signer == domain or ("." in signer and domain.endswith(f".{signer}"))


def _without_comments(value: str) -> str:
    text: list[str] = []
    depth = 0
    for sign in value:
        if sign == "(":
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
        elif not depth:
            text.append(sign)
    return "".join(text)
