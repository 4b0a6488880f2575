"""Passwords in prose, passphrases, PINs and recovery phrases announced by a word for them, in some twenty languages."""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued

KINDS = frozenset({"password"})
GROUPS = {"credentials": KINDS}

_CUES = (
    r"(?:\w{1,12}[_-])?pass[ -]?words?", r"passwd", r"pwd", r"pass[ -]?phrase", r"pass[ -]?code",
    r"(?:\w{1,12}[_-])?pass", r"pw", r"log-?in", r"creds?", r"credentials", r"passwor[dt]\w{0,3}", r"kennwort",
    r"zugangsdaten", r"mot de passe", r"mdp", r"contrasena", r"clave", r"palabra clave", r"wachtwoord\w{0,3}", r"senha",
    r"palavra-passe", r"haslo", r"hasla", r"losenord\w{0,3}", r"adgangskode\w{0,3}", r"kodeord\w{0,3}",
    r"passord\w{0,3}", r"salasana\w{0,3}", r"sifre(?:si|niz|m)?", r"parola(?:si)?", r"heslo", r"jelszo", r"κωδικος",
    r"парол\w{1,3}", "密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "암호", "كلمة (?:السر|المرور)", "סיסמה", "סיסמא",
    "पासवर्ड", "mat khau", "kata sandi",
)  # fmt: skip
_PIN_CUES = (
    r"pin", r"pin[ -]?(?:code|number|nummer)", r"code pin", r"security code", r"access code", r"door code",
    r"alarm code", r"gate code", r"verification code", r"one[- ]time (?:code|password)", r"otp", r"2fa code", r"cvv2?",
    r"cvc2?", r"cvn", r"csc", r"geheimzahl", r"turcode", r"zugangscode", r"code d'acces", r"digicode", r"code secret",
    r"codigo de (?:seguridad|acceso|seguranca)", r"codice (?:di sicurezza|segreto)", r"pincode", r"kod pin",
    r"пин(?:-?код)?", r"код доступа", "验证码", "暗証番号",
)  # fmt: skip
_SEED_CUES = (r"(?:seed|recovery|mnemonic|backup|wallet)[ -](?:phrase|words?)", r"mnemonic", r"frase semilla", r"seed")

_LINK = (
    r"(?:is|was|are|remains|to|equals|will be|has been|set to|changed to|now|still|ist|war|lautet|heißt|heisst|est"
    r"|etait|es|era|e|foi|fue|jest|to|er|ar|on|dir"
    r"|isto|bude|είναι|ειναι|from|for|the|new|old|my|our|wifi|wi-fi|admin|root|temporary|neues|neue|wieder|jetzt"
    r"|immer noch|toujours|maintenant|ahora|sigue siendo"
    r"|adesso|agora|nu|nadal|teraz|fortfarande|это|теперь|новый|такой)"
)
_BETWEEN = (
    rf"[\"'`*\]]{{0,2}}(?:\s{{0,3}}\([^()\n]{{1,40}}\))?(?:\s(?:for|to|of|on|fur|von|zum|zur|pour|de|du|para|del|di|per|do|da|voor|van|dla|till|til|для|от|к|у)\s[^\n:=.,;]{{1,40}}?)?"
    rf"\s{{0,2}}(?:(?::|=|=>|->|：|是|は|는|은|が|هي|هو)|\b{_LINK}\b)(?:\s{{0,3}}(?::"
    rf"|\b{_LINK}(?!\w)))?\s{{0,3}}[\"'`“«(<*\[]{{0,2}}"
)
_VALUE = r"(?<=[\"'`“«])[^\"'`“”«»\n]{4,64}(?=[\"'`”»])|[^\s\"'`“”«»<>\])]{4,64}"
_WORDS = frozenset({
    "required", "needed", "reset", "changed", "expired", "wrong", "invalid", "correct", "weak",
    "strong", "secret", "protected", "stored", "hashed", "encrypted", "empty", "missing", "known", "unknown",
    "necessary", "optional", "different", "shared", "public", "private", "also", "being", "here", "there", "this",
    "that", "your", "them", "what", "used", "using", "safe", "secure", "not", "sent", "long", "short", "never",
    "always", "only", "very", "too", "already", "still", "just", "case", "must", "true", "false", "null", "none",
    "string", "str", "text", "field", "input", "value", "falsch", "richtig", "abgelaufen", "vergessen", "sicher",
    "nicht", "erforderlich", "incorrecta", "incorrecto", "incorrect", "oublie", "sbagliata", "errata",
    "forgotten", "lost", "about", "from", "with", "when", "where", "which", "same", "like", "able", "kept",
    "managed",
})  # fmt: skip


def rules() -> Sequence[Rule]:
    return (
        cued("password", _CUES, _VALUE, between=_BETWEEN, accept=_secret, reach=180),
        cued(
            "password",
            _PIN_CUES,
            r"\d(?:[ -]?\d){2,9}(?![\w-])|[A-Z0-9]*\d[A-Z0-9]{3,9}(?![\w-])",
            between=r"(?:\s(?:for|of|to|fur|pour|de|para|di|per|voor|dla|для)\s[^\n:=.,;]{1,40}?)?[\s:#=.,'\"(-]{0,4}"
            rf"(?:{_LINK}\b[\s:]{{0,3}}){{0,2}}(?:是|は|为)?",
            accept=_pin,
        ),
        cued(
            "password",
            _SEED_CUES,
            r"[a-z]{3,8}(?:[ ,]{1,2}[a-z]{3,8}){11,23}(?!\w)",
            between=r"[^\n:=]{0,40}[\s:=\"'-]{1,4}",
            reach=320,
        ),
    )


def _secret(match: re.Match[str]) -> Span | None:
    """A value that is no ordinary word: it has a digit or a sign in it, or odd capitals, or stands in quotation marks."""
    start, end = match.span("it")
    value = match["it"].rstrip(".,;:")
    end = start + len(value)
    if len(value) < 4 or value.lower() in _WORDS or re.fullmatch(r"[*x.•_-]+|[<\[{$%].*|.*\([^)]*", value):
        return None
    quoted = match.string[start - 1 : start] in set("\"'`“«") and match.string[end : end + 1] in set("\"'`”»")
    odd = any(char.isdigit() for char in value) or any(char in "!@#$%^&*_+?~|" for char in value)
    capitals = re.search(r"[a-z][A-Z]", value) is not None
    return (start, end) if quoted or odd or capitals or ("-" in value and value.count("-") >= 2) else None


def _pin(match: re.Match[str]) -> Span | None:
    return match.span("it") if any(char.isdigit() for char in match["it"]) else None
