"""Street addresses: a house number beside a word for a street, with town and postcode where they follow.

The forms of English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, the Nordic languages, Turkish,
Russian, Chinese and Japanese.
"""
# ruff: noqa: RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

from collections.abc import Sequence

from isthmus.detectors.rule import Rule, pattern

KINDS = frozenset({"street_address"})
GROUPS = {"pii": KINDS, "contact": KINDS}

_NAME = r"[A-Z][\w'.-]{0,30}"
_ENGLISH = (
    "Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Ter|Square|Sq"
    "|Highway|Hwy|Parkway"
    "|Pkwy|Circle|Cir|Crescent|Cres|Close|Row|Mews|Grove|Gardens|Trail|Trl|Alley|Loop|Pike|Plaza|Walk|Hill|Quay"
    "|Green|Route|Rte"
)
_UNIT = r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|#)\.? ?#?[\w-]{1,6})?"
_TOWN = r"(?:,? [A-Z][\w'.-]{1,24}(?: [A-Z][\w'.-]{1,24}){0,2})"
_ENGLISH_TOWN = (
    rf"(?:{_TOWN}?,? (?:[A-Z]{{2}},? \d{{5}}(?:-\d{{4}})?|[A-Z]{{1,2}}\d[A-Z\d]? ?\d[A-Z]{{2}}"
    rf"|[A-Z]\d[A-Z] ?\d[A-Z]\d))?"
)
_CODE_TOWN = rf"(?:,?\s(?:[A-Z]{{1,2}}-)?\d{{4,5}}(?: ?[A-Z]{{2}})?{_TOWN}?)?"
_NUMBER = r"\d{1,4}(?: ?[a-zA-Z])?(?:[/-]\d{1,4})?(?!\w)"

_SUFFIXES = (
    "stra(?:ße|sse|se)|str\\.|weg|platz|allee|gasse|ring|damm|ufer|markt|chaussee|stieg"
    "|straat|laan|plein|gracht|kade|singel|dijk|dreef|steeg|hof"
    "|gatan|vagen|grand|gata|veien|vegen|gade|vej|alle|stræde|torv"
    "|katu|tie|kuja|polku|utca|ut|ulice"
)
_BEFORE = (
    r"rue|avenue|av\.|boulevard|bd\.?|place|chemin|allee|impasse|quai|route|cours|square|passage"
    r"|calle|c/|avenida|avda\.?|plaza|paseo|carrera|camino|ronda|travesia|calzada"
    r"|via|viale|piazza|corso|largo|vicolo|strada|piazzale|contrada"
    r"|rua|r\.|travessa|praca|alameda|estrada"
    r"|ul\.|ulica|al\.|pl\.|os\.|str\.|strada|bulevardul"
)
_SMALL = (
    r"(?:de |du |des |de la |de las |de los |del |della |dei |degli |delle |do |da |dos |das |di |d'|l'|la |le "
    r"|les |el |los |las |sw\. )"
)


def rules() -> Sequence[Rule]:
    return (
        Rule(
            kind="street_address",
            triggers=(rf"\d[A-Z]?,? [\w .'-]{{2,50}}\b(?:{_ENGLISH})\b",),
            pattern=pattern(
                rf"(?<![\w.$€£-])\d{{1,6}}(?:-\d{{1,5}})?[A-Za-z]?,? (?:[NSEW]{{1,2}}\.? )?(?:{_NAME} "
                rf"|\d{{1,3}}(?:st|nd|rd|th) ){{1,4}}"
                rf"(?:{_ENGLISH})\b\.?(?: (?:North|South|East|West|[NSEW]{{1,2}})\b)?{_UNIT}{_ENGLISH_TOWN}",
                cased=True,
            ),
            reach=180,
        ),
        Rule(
            kind="street_address",
            triggers=(
                r"\bP\.? ?O\.? ?Box \d",
                r"\b(?:Postfach|Postbus|Apartado(?: de correos)?|Casella postale|Boite postale|BP) \d",
            ),
            pattern=pattern(
                rf"\b(?:P\.? ?O\.? ?Box|Postfach|Postbus|Apartado(?: de [cC]orreos)?|Casella [pP]ostale"
                rf"|Boite [pP]ostale|BP) \d{{1,6}}(?!\w)"
                rf"{_ENGLISH_TOWN}{_CODE_TOWN}",
                cased=True,
            ),
            reach=140,
        ),
        Rule(
            kind="street_address",
            triggers=(rf"(?:{_SUFFIXES})\s\d",),
            pattern=pattern(
                rf"(?<!\w)(?:[A-Z][\w-]{{1,24}} (?:(?:der|den|dem|van|von|de|am|im) )?){{0,2}}"
                rf"(?:[A-Z][\w-]{{1,30}}(?:{_SUFFIXES})|[A-Z][\w.-]{{1,24}}[ -](?:[Ss]tra(?:ß|ss)e|[Ss]tr\.|[Ww]eg"
                rf"|[Pp]latz|[Aa]llee|[Rr]ing|[Dd]amm|[Uu]fer|"
                rf"[Pp]lein|[Vv]ej|[Aa]lle|[Uu]tca|[Uu]t)) {_NUMBER}{_CODE_TOWN}",
                cased=True,
            ),
            reach=180,
        ),
        Rule(
            kind="street_address",
            triggers=(rf"(?:^|[^\w])(?:{_BEFORE})\s?[\w]",),
            pattern=pattern(
                rf"(?<!\w)(?:(?P<first>\d{{1,4}}(?: ?(?:bis|ter|quater"
                rf"|[A-D]))?,? ))?(?i:{_BEFORE})\s?(?:(?i:{_SMALL}))?(?:(?i:{_SMALL})?{_NAME} ?){{1,5}}"
                rf"(?(first)|,? ?(?:n[º°o]?\.? ?|nr\.? ?"
                rf"|num\.? ?)?{_NUMBER}(?:,? \d{{1,2}}[º°ª]? ?[A-Z]?\b)?){_CODE_TOWN}",
                cased=True,
            ),
            reach=180,
        ),
        Rule(
            kind="street_address",
            triggers=(r"\b(?:sokak|sokagi|sok\.|caddesi|cad\.|mahallesi|mah\.|bulvari|blv\.)",),
            pattern=pattern(
                rf"(?:{_NAME} ){{1,3}}(?:Mahallesi|Mah\.),? ?(?:{_NAME} ){{0,3}}(?:(?:Sokak|Sokagi|Sok\.|Caddesi"
                rf"|Cad\.|Bulvari|Blv\.),? ?)?(?:No ?[:.]? ?)?\d{{1,4}}"
                rf"(?:/\d{{1,4}})?|(?:{_NAME} ){{1,3}}(?:Sokak|Sokagi|Sok\.|Caddesi|Cad\.|Bulvari"
                rf"|Blv\.),? ?(?:No ?[:.]? ?)?\d{{1,4}}(?:/\d{{1,4}})?",
                cased=True,
            ),
            reach=160,
        ),
        Rule(
            kind="street_address",
            triggers=(r"(?:ул\.|улиц|просп|пр-т|пер\.|переул|шоссе|бульвар|бул\.|вул\.|площад)",),
            pattern=pattern(
                r"(?<!\w)(?:ул\.?|улиц[аеы]|проспект[еа]?|просп\.|пр-т|пер\.|переул[а-я]+|шоссе|бульвар[е]?|бул\."
                r"|вул\.|площад[ьи]) ?[А-ЯІЇЄ][\w-]{1,30}(?: [А-Я][\w-]{1,30}){0,2}"
                r",? ?(?:д(?:ом)?\.? ?|буд\. ?)?\d{1,4}[а-я]?(?:/\d{1,3})?(?:,? ?(?:кв(?:артира)?\.?|корп(?:ус)?\.?"
                r"|стр\.|к\.) ?\d{1,4}){0,3}"
            ),
            reach=140,
        ),
        Rule(
            kind="street_address",
            triggers=(r"(?:路|街|大道|巷|弄|胡同)\s?\d{1,5}\s?[号號]",),
            pattern=pattern(
                r"(?:[\u4e00-\u9fff]{2,7}(?:省"
                r"|自治区))?(?:[\u4e00-\u9fff]{2,7}市)?(?:[\u4e00-\u9fff]{1,7}[区县區縣])?[\u4e00-\u9fff]{1,10}(?:路|街|大道|巷|弄"
                r"|胡同)\s?\d{1,5}\s?[号號]"
                r"(?:\s?\d{1,4}\s?(?:号楼|栋|单元|室|楼|層|层|樓)){0,4}"
            ),
            reach=80,
        ),
        Rule(
            kind="street_address",
            triggers=(r"〒\s?\d{3}-\d{4}", r"[都道府県市区町村]\S{1,12}\d{1,3}(?:-|丁目)\d"),
            pattern=pattern(
                r"(?:〒\s?\d{3}-\d{4}\s?)(?:[\u3040-\u30ff\u4e00-\u9fff\u30fc]{2,24}[\d\u4e00-\u9fff]{0,4}(?:\d{1,3}(?:丁目|番地?|号|-)?){1,4})?"
                r"|[\u4e00-\u9fff]{2,3}[都道府県][\u3040-\u30ff\u4e00-\u9fff\u30fc]{1,16}[市区町村][\u3040-\u30ff\u4e00-\u9fff\u30fc]{0,12}(?:\d{1,3}(?:丁目|番地?|号|-)?){1,4}"
                r"|[\u4e00-\u9fff]{1,5}[市区][\u3040-\u30ff\u4e00-\u9fff\u30fc]{1,12}(?:\d{1,3}(?:丁目|番地?|号"
                r"|-)){1,3}\d{0,3}"
            ),
            reach=80,
        ),
    )
