"""National identity, social security and tax numbers: their form and their checksum (python-stdnum).

A number whose form and checksum together are rare stands alone. One that a tenth of all numbers would pass for needs a
word near it that says what it is.
"""
# ruff: noqa: E501 - one form a line

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isthmus.detectors.rule import Rule, Span, near, pattern


@dataclass(frozen=True, slots=True)
class _Number:
    kind: str
    module: str | None
    """Of `stdnum`, with the checksum; None: there is none, the form is all."""
    form: str
    """Every way of writing it."""
    alone: str | None = None
    """The ways of writing it that need no cue."""
    cues: str = ""
    """Expressions for what it is called, besides the words for any such number; joined by `|`."""


_NUMBERS = (
    _Number("us_ssn", "us.ssn", r"\d{3}[- .]\d{2}[- .]\d{4}|\d{9}", r"\d{3}-\d{2}-\d{4}", r"ssn|social"),
    _Number("us_itin", "us.itin", r"9\d\d[- ]?[5-9]\d[- ]?\d{4}", r"9\d\d-[5-9]\d-\d{4}", r"itin"),
    _Number("us_ein", "us.ein", r"\d{2}-?\d{7}", None, r"ein|employer id\w*|fein"),
    _Number("uk_nhs", "gb.nhs", r"\d{3}[ -]\d{3}[ -]\d{4}|\d{10}", None, r"nhs|health service"),
    _Number("uk_nino", None, r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]",
            r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", r"nino?"
            r"|national insurance"),
    _Number("uk_utr", "gb.utr", r"\d{5} ?\d{5}", None, r"utr|taxpayer reference"),
    _Number("de_steuerid", "de.idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", r"\d{2} \d{3} \d{3} \d{3}",
            r"steuer\w*|idnr|identifikationsnummer|tin"),
    _Number("de_svnr", None, r"[0-8]\d ?(?:[0-3]\d[01]\d|\d{4})\d\d ?[A-Z] ?\d{3}", None,
            r"sozialversicherungs\w*|rentenversicherungs\w*|sv-?nummer|svnr|rvnr"),
    _Number("de_idcard", None, r"[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}\d?D?", None, r"(?:personal)?ausweis\w*"),
    _Number("fr_nir", "fr.nir", r"[1-478] ?\d\d ?(?:[0-3]\d|[4-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d",
            r"[12] ?\d\d ?(?:0\d|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", r"secu\w*|nir|insee"),
    _Number("fr_nif", "fr.nif", r"[0-3]\d ?\d\d ?\d{3} ?\d{3} ?\d{3}", None, r"nif|fiscal\w*|spi|impots?"),
    _Number("es_dni", "es.dni", r"\d{2}\.?\d{3}\.?\d{3}[- ]?[A-Z]", r"\d{2}\.?\d{3}\.?\d{3}-?[A-Z]", r"dni|nif"),
    _Number("es_nie", "es.nie", r"[XYZ][- ]?\d{7}[- ]?[A-Z]", r"[XYZ]-?\d{7}-?[A-Z]", r"nie|extranjero"),
    _Number("es_ss", None, r"\d{2}[ /-]?\d{8}[ /-]?\d{2}", None, r"seguridad social|nuss|naf|afiliacion"),
    _Number("it_codice_fiscale", "it.codicefiscale",
            r"[A-Z]{3} ?[A-Z]{3} ?[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2} ?[A-Z][0-9LMNP-V]{3}[A-Z]",
            r"[A-Z]{3} ?[A-Z]{3} ?[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2} ?[A-Z][0-9LMNP-V]{3}[A-Z]", r"fiscale"
            r"|c\.?f\.?"),
    _Number("nl_bsn", "nl.bsn", r"\d{4}[. ]?\d{2}[. ]?\d{3}|\d{3}[. ]\d{3}[. ]\d{3}", None, r"bsn|burgerservice\w*"
    r"|sofi\w*"),
    _Number("be_nn", "be.nn", r"\d{2}[. ]?\d{2}[. ]?\d{2}[- ]?\d{3}[. ]?\d{2}", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}",
            r"rijksregister\w*|registre national|insz|niss|nn"),
    _Number("pl_pesel", "pl.pesel", r"\d{11}", r"\d{11}", r"pesel"),
    _Number("pl_nip", "pl.nip", r"\d{3}[- ]?\d{3}[- ]?\d{2}[- ]?\d{2}|\d{3}-\d{2}-\d{2}-\d{3}", None, r"nip"),
    _Number("se_personnummer", "se.personnummer", r"(?:19|20)?\d{2}[01]\d[0-3]\d ?[-+]? ?\d{4}",
            r"(?:19|20)?\d{2}[01]\d[0-3]\d[-+]\d{4}", r"person(?:nummer|nr)|pnr"),
    _Number("fi_hetu", "fi.hetu", r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-Y]", r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-Y]",
            r"hetu|henkilotunnus"),
    _Number("dk_cpr", "dk.cpr", r"[0-3]\d[01]\d{3}[- ]?\d{4}", None, r"cpr\w*|personnummer"),
    _Number("no_fodselsnummer", "no.fodselsnummer", r"[0-7]\d[0-9]\d{3} ?\d{5}", r"[0-3]\d[01]\d{3} ?\d{5}",
            r"fodselsn\w*|personn\w*"),
    _Number("is_kennitala", "is_.kennitala", r"[0-7]\d[01]\d{3}-?\d{4}", None, r"kennitala"),
    _Number("at_svnr", "at.vnr", r"\d{4} ?[0-3]\d ?[01]\d ?\d{2}", None, r"sv-?n\w*|sozialversicherung\w*"
    r"|versicherungsnummer"),
    _Number("ch_ahv", "ch.ssn", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", r"ahv\w*"
    r"|avs"),
    _Number("ie_pps", "ie.pps", r"\d{7} ?[A-W][AHWTX]?", r"\d{7}[A-W][AHWTX]?", r"ppsn?"),
    _Number("pt_nif", "pt.nif", r"[1-35689]\d{2} ?\d{3} ?\d{3}", None, r"nif|contribuinte"),
    _Number("pt_cc", "pt.cc", r"\d{8} ?\d ?[A-Z]{2}\d", None, r"cartao de cidadao"),
    _Number("br_cpf", "br.cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", r"\d{3}\.\d{3}\.\d{3}-\d{2}", r"cpf"),
    _Number("in_aadhaar", "in_.aadhaar", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}", r"a?adhaa?r|uidai|आधार"),
    _Number("in_pan", "in_.pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", None, r"pan|permanent account"),
    _Number("cn_ric", "cn.ric", r"[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d{4}[0-9X]",
            r"[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d{4}[0-9X]", r"身份证\w*|身份證\w*"),
    _Number("jp_my_number", "jp.in_", r"\d{4}[ -]?\d{4}[ -]?\d{4}", None, r"my number|マイナンバー|個人番号"),
    _Number("kr_rrn", "kr.rrn", r"\d{2}[01]\d[0-3]\d-?\d{7}", r"\d{2}[01]\d[0-3]\d-\d{7}", r"rrn|주민\w*"),
    _Number("tr_tckimlik", "tr.tckimlik", r"[1-9]\d{10}", r"[1-9]\d{10}", r"t\.?c\.?(?: ?kimlik)?|kimlik\w*"),
    _Number("ca_sin", "ca.sin", r"\d{3}[- ]?\d{3}[- ]?\d{3}", None, r"sin|nas|social insurance|assurance sociale"),
    _Number("au_tfn", "au.tfn", r"\d{3}[- ]?\d{3}[- ]?\d{2,3}", None, r"tfn|tax file"),
    _Number("za_id", "za.idnr", r"\d{6} ?\d{4} ?\d{3}", None, r"rsa|south african"),
    _Number("cz_rc", "cz.rc", r"\d{2}[0-8]\d[0-3]\d/?\d{3,4}", r"\d{2}[0-8]\d[0-3]\d/\d{4}", r"rodne\w*|rc|rodneho"),
    _Number("mx_curp", "mx.curp", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", r"curp"),
    _Number("cl_rut", "cl.rut", r"\d{1,2}\.?\d{3}\.?\d{3}-[0-9K]", r"\d{1,2}\.\d{3}\.\d{3}-[0-9K]", r"rut|run"),
    _Number("ar_dni", None, r"\d{2}\.?\d{3}\.?\d{3}", None, r"dni"),
    _Number("il_id", "il.idnr", r"\d{8}-?\d", None, r"teudat|zehut|תעודת זהות|ת\.?ז"),
    _Number("gr_amka", "gr.amka", r"[0-3]\d[01]\d{8}", None, r"amka|αμκα"),
    _Number("ro_cnp", "ro.cnp", r"[1-8]\d{2}[01]\d[0-3]\d{7}", r"[1-8]\d{2}[01]\d[0-3]\d{7}", r"cnp"),
    _Number("bg_egn", "bg.egn", r"\d{10}", None, r"egn|егн"),
    _Number("ru_inn", "ru.inn", r"\d{12}", None, r"inn|инн"),
    _Number("ru_snils", None, r"\d{3}-\d{3}-\d{3}[ -]\d{2}|\d{11}", r"\d{3}-\d{3}-\d{3} \d{2}", r"snils|снилс"),
    _Number("ua_tax_id", "ua.rntrc", r"\d{10}", None, r"рнокпп|іпн|ипн"),
    _Number("hr_oib", "hr.oib", r"\d{11}", None, r"oib"),
    _Number("si_emso", "si.emso", r"[0-3]\d[01]\d{10}", None, r"emso|jmbg"),
    _Number("ee_isikukood", "ee.ik", r"[1-6]\d{2}[01]\d[0-3]\d{5}", None, r"isikukood|asmens kodas"),
    _Number("th_pin", "th.pin", r"\d-?\d{4}-?\d{5}-?\d{2}-?\d", r"\d-\d{4}-\d{5}-\d{2}-\d", r"บัตรประชาชน|thai id"),
    _Number("id_nik", "id.nik", r"\d{16}", None, r"nik|ktp"),
    _Number("my_nric", "my.nric", r"\d{6}-?\d{2}-?\d{4}", None, r"nric|mykad"),
    _Number("sg_nric", None, r"[STFGM]\d{7}[A-Z]", None, r"nric|fin"),
    _Number("pk_cnic", "pk.cnic", r"\d{5}-?\d{7}-?\d", None, r"cnic"),
)  # fmt: skip

_ANY_NUMBER = (
    r"national id\w*|identity (?:card|number)|id (?:card|number|no)|tax (?:id|number|no)\w*|tin|personal (?:id"
    r"|identification|number)"
    r"|steuer\w*|ausweis\w*|numero (?:fiscal\w*|de securite|d'identite|de identidad|de identificacao|de contribuinte)"
    r"|documento(?: de identidad| di identita)?|carta d'identita|identidad|identifica\w+|identiteits\w*|dowod\w*"
    r"|numer identyfik\w*"
    r"|удостоверени\w*|паспорт\w*|证件号?|身份"
)
_PLACEHOLDERS = re.compile(r"^(\d)\1+$")

KINDS = frozenset(number.kind for number in _NUMBERS)
GROUPS = {"national_id": KINDS, "pii": KINDS}


def rules() -> Sequence[Rule]:
    return tuple(rule for number in _NUMBERS for rule in _rules(number))


def _rules(number: _Number) -> Sequence[Rule]:
    valid = _checked(number.module)
    cues = pattern(rf"(?<!\w)(?:{number.cues}|{_ANY_NUMBER})(?![A-Za-z])")
    made = [_rule(number.kind, number.form, valid, cues)]
    if number.alone is not None:
        made.append(_rule(number.kind, number.alone, valid, None))
    return made


def _rule(kind: str, form: str, valid: Callable[[str], bool], cues: re.Pattern[str] | None) -> Rule:
    def accept(match: re.Match[str]) -> Span | None:
        found = match[0]
        if _PLACEHOLDERS.match(re.sub(r"\W", "", found)) or not valid(found.upper()):
            return None
        return match.span() if cues is None or near(cues, match.string, *match.span(), before=50, after=25) else None

    return Rule(
        kind=kind,
        triggers=(rf"\b(?:{re.sub(r'[(][?]![^)]*[)]', '', form)})\b",),
        pattern=pattern(rf"(?<![\w])(?<!\d[.,/-])(?<!-)(?:{form})(?!\w)(?![.,/-]\d)(?!-\w)"),
        accept=accept,
        reach=32,
    )


def _checked(module: str | None) -> Callable[[str], bool]:
    if module is None:
        return lambda _: True
    is_valid: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid

    def valid(number: str) -> bool:
        try:
            return is_valid(number)
        except (LookupError, ValueError):  # some modules look a place up that is not in their table (stdnum.cn.ric)
            return False

    return valid
