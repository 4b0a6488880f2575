"""Keys and tokens in the formats of those who issue them, and random values that are called key, secret or token."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, pattern

KINDS = frozenset({"api_key"})
GROUPS = {"credentials": KINDS}

_FORMATS = (
    r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}",  # AWS access key id
    r"gh[pousr]_[A-Za-z0-9]{20,255}",
    r"github_pat_[A-Za-z0-9_]{22,255}",
    r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|imt)-[A-Za-z0-9_-]{20,64}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,250}",
    r"xapp-\d-[A-Za-z0-9-]{20,250}",
    r"sk-(?:ant-|proj-|svcacct-|admin-|or-v1-|lf-)?[A-Za-z0-9_-]{20,200}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"ya29\.[A-Za-z0-9_-]{20,250}",
    r"GOCSPX-[A-Za-z0-9_-]{28}",
    r"hf_[A-Za-z0-9]{30,60}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[A-Za-z0-9_-]{50,250}",
    r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}",
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,120}",
    r"whsec_[A-Za-z0-9+/=]{20,80}",
    r"do[opr]_v1_[a-f0-9]{64}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,60}",
    r"key-[a-f0-9]{32}",
    r"(?:AC|SK)[a-f0-9]{32}",
    r"(?:xai|gsk|r8|pplx|nvapi|tvly|fw|csk|lin_api|figd|sntrys|sntryu|rpa|dapi|dsapi)[_-][A-Za-z0-9_-]{20,200}",
    r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64}",
    r"NRAK-[A-Z0-9]{27}",
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    r"ATATT3[A-Za-z0-9_=-]{40,250}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"\d{8,10}:AA[A-Za-z0-9_-]{32,36}",  # Telegram bot
    r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",  # Discord bot
    r"hv[sbr]\.[A-Za-z0-9_-]{24,200}",  # HashiCorp Vault
    r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_+-]{20,100}",
    r"https://discord(?:app)?\.com/api/webhooks/\d{16,20}/[A-Za-z0-9_-]{50,90}",
    r"EAA[A-Za-z0-9]{60,250}",  # Meta
    r"(?:sbp|sb_secret|vercel|ntn|secret|pat|tok|pscale_tkn|pscale_pw|rnd|isk|whop|phc|phx)_[A-Za-z0-9]{24,120}",
)
_NAMES = (
    r"(?:api|access|auth|account|secret|private|encryption|signing|master|shared[_ -]?access|storage|service|app"
    r"|client|consumer|user"
    r"|bot|refresh|session|deploy|license|webhook|admin|prod|aws[_ -]?secret[_ -]?access)[_ -]?(?:key|token|secret)s?"
    r"|(?:secret|token|apikey|clientsecret|credentials?|sas|schlussel|clave|cle|chiave|chave|klucz|nyckel|sleutel)"
    r"|ключ|токен|密钥|令牌|トークン|キー"
)
_VALUE = r"(?P<it>[A-Za-z0-9][A-Za-z0-9_+/=.~-]{15,512})"


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="api_key",
            triggers=tuple(re.sub(r"\{(\d+),\d+\}", r"{\1}", form) for form in _FORMATS),
            pattern=pattern(rf"(?<![A-Za-z0-9])(?:{'|'.join(_FORMATS)})(?![A-Za-z0-9])", cased=True),
            accept=_issued,
            reach=300,
            cased=True,
        ),
        Rule(
            kind="api_key",
            triggers=(rf"(?:{_NAMES})[\"'`\]]?\s{{0,3}}(?:[:=]|=>|is|ist|est|es|lautet|是|は|는)",),
            pattern=pattern(
                rf"(?:{_NAMES})[\"'`\]]?\s{{0,3}}(?:=>|:=|[:=]|\b(?:is|ist|est|es|lautet)\b|是|は|는)\s{{0,3}}[\"'`<]?{_VALUE}"
            ),
            accept=_random,
            reach=600,
        ),
        Rule(
            kind="api_key",
            triggers=(r"\b(?:bearer|basic|token)\s[A-Za-z0-9_+/=.~-]{16}",),
            pattern=pattern(rf"(?:authorization[\"']?\s?[:=]\s?[\"']?)?\b(?:bearer|basic|token)\s{_VALUE}"),
            accept=_random,
            reach=600,
        ),
    )


def _issued(match: re.Match[str]) -> Span | None:
    """None for a placeholder (`sk-xxxxxxxx`) and for words joined by hyphens."""
    return (
        match.span() if len(set(match[0][-16:])) > 4 and re.search(r"\d|[a-z][A-Z]|[A-Z][a-z]", match[0][4:]) else None
    )


def _random(match: re.Match[str]) -> Span | None:
    """Whether a value looks drawn rather than written: letters and digits mixed, few of them repeated."""
    value = match["it"].rstrip(".=")
    counts = Counter(value).values()
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    digits = sum(char.isdigit() for char in value)
    mixed = digits >= 2 and digits < len(value) and any(char.isalpha() for char in value)
    return match.span("it") if mixed and entropy >= 3.0 else None
