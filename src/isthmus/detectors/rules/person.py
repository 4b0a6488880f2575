"""Names of people where the words around them leave no doubt: a title, an introduction, a field, a signature.

Most names stand in a text without any of these and are not found: the semantic gate is there for what people are
written about, and the deep tier for their names.
"""
# ruff: noqa: E501, RUF001 - lists and forms of many scripts, some of them double as wide

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.detectors.rule import Rule, Span, cued, pattern

KINDS = frozenset({"person"})
GROUPS = {"pii": KINDS}

_PART = r"(?:[A-Z][a-z]+(?:[-'][A-Z]?[a-z]+)*|[A-Z]'[A-Z][a-z]+|(?:Mc|Mac|De|La|Le|Di|Van|O')[A-Z][a-z]+)"
_LINK = (
    r"(?:van der|van den|van de|van|von der|von|zu|de la|de los|de las|del|della|de|di|da|dos|do|du|le|la|bin"
    r"|ibn|al|el|ter|ten|af|av|y)"
)
_NAME = rf"{_PART}(?: [A-Z]\.?(?= [A-Z]))?(?:(?: {_LINK})? {_PART}){{0,3}}"
_FULL = rf"{_PART}(?: [A-Z]\.)?(?:(?: {_LINK})? {_PART}){{1,3}}"
_CYRILLIC = r"[А-ЯІЇЄ][а-яіїє]+(?:-[А-Я][а-я]+)?(?: (?:[А-ЯІЇЄ][а-яіїє]+(?:-[А-Я][а-я]+)?|[А-Я]\. ?(?:[А-Я]\.)?)){1,2}"

_TITLES = (
    r"mr", r"mrs", r"ms", r"miss", r"mx", r"dr", r"prof(?:essor)?", r"sir", r"dame", r"judge", r"herrn?", r"frau",
    r"monsieur", r"madame", r"mademoiselle", r"mme", r"mlle", r"m\.", r"sra?", r"srta", r"senora?", r"senorita", r"don",
    r"dona", r"signora?", r"sig(?:\.ra)?", r"dott(?:\.ssa|oressa|or)?", r"avv", r"senhora?", r"dhr", r"mevr(?:ouw)?",
    r"meneer", r"mevrouw", r"mw", r"pani?", r"pana", r"panem", r"fru", r"rouva", r"herra", r"pan[ia]?",
)  # fmt: skip
_FIELDS = (
    r"(?:full |patient |first |last |family |legal |customer |client |employee |cardholder |account holder )?name",
    r"patient(?:in)?", r"client", r"customer", r"employee", r"plaintiff", r"defendant", r"witness", r"applicant",
    r"insured", r"tenant", r"claimant", r"candidate", r"signed(?: by)?", r"attn", r"attention", r"cardholder",
    r"account holder", r"beneficiary", r"payee",
    r"my (?:wife|husband|son|daughter|mother|father|brother|sister|boss|manager|friend|colleague|neighbour|neighbor)",
    r"vorname", r"nachname", r"kund(?:e|in)", r"mandant(?:in)?", r"mitarbeiter(?:in)?", r"inhaber(?:in)?",
    r"kontoinhaber(?:in)?", r"klager(?:in)?", r"beklagter?", r"nom(?: et prenom)?", r"prenom", r"patiente",
    r"titulaire", r"nombre(?: completo)?", r"apellidos?", r"paciente", r"cliente", r"titular",
    r"nome(?: e cognome| completo)?", r"cognome", r"paziente", r"intestatario", r"assistito", r"naam", r"patient",
    r"client", r"imie i nazwisko", r"pacjent(?:ka)?", r"namn", r"navn", r"nimi", r"potilas", r"jmeno", r"nev",
    r"ad(?:i)? soyad(?:i)?", r"hasta", r"фио", r"ф\.и\.о\.", r"пациент(?:ка)?", r"клиент", r"гражданин", r"истец",
    r"ответчик",
)  # fmt: skip
_INTRODUCTIONS = (
    r"my name is", r"i am called", r"this is", r"i'm", r"i am", r"ich hei(?:ß|ss)e", r"mein name ist", r"ich bin",
    r"je m'appelle", r"mon nom est", r"je suis", r"me llamo", r"mi nombre es", r"soy", r"mi chiamo", r"il mio nome e",
    r"sono", r"chamo-me", r"(?:me|eu me) chamo", r"meu nome e", r"ik heet", r"mijn naam is", r"nazywam sie",
    r"mam na imie", r"jag heter", r"mitt namn ar", r"jeg hedder", r"jeg heter", r"nimeni on", r"benim adim", r"adim",
    r"jmenuji se", r"меня зовут", r"мое имя",
)  # fmt: skip
_CLOSINGS = (
    r"(?:best|kind|warm|many)? ?regards", r"sincerely(?: yours)?", r"yours (?:sincerely|truly|faithfully)",
    r"best wishes", r"cheers", r"thanks", r"thank you", r"best", r"mit freundlichen gru(?:ß|ss)en",
    r"viele gru(?:ß|ss)e", r"liebe gru(?:ß|ss)e", r"cordialement", r"bien a vous",
    r"(?:un )?saludos?(?: cordial(?:es)?)?", r"atentamente", r"cordiali saluti", r"distinti saluti", r"atenciosamente",
    r"cumprimentos", r"met vriendelijke groet(?:en)?", r"pozdrawiam", r"z powazaniem", r"med vanlig halsning",
    r"med venlig hilsen", r"ystavallisin terveisin", r"saygilarimla", r"с уважением",
)  # fmt: skip
_CYRILLIC_CUES = (
    r"меня зовут", r"мое имя", r"пациент(?:ка|а|ки|ку)?", r"клиент(?:ка|а|ки)?", r"гражданин(?:а|ка|ки)?", r"г-н",
    r"г-жа", r"фио", r"господин", r"госпожа", r"доктор", r"истец", r"ответчик", r"сотрудник(?:а)?",
)  # fmt: skip
_EASTERN_CUES = (
    "患者", "姓名", "我叫", "我是", "我的名字是", "本人", "さん", "様", "氏", "先生", "名前", "私は", "씨", "님", "환자", "과장", "대리", "부장", "선생",
)  # fmt: skip
_EASTERN = (
    "患者[:：是]?\\s?(?P<it>[\u4e00-\u9fff]{2,4})(?=[,，。;；、\\s(（男女]|今年|的|于|因|$)|(?:姓名|我叫|我是|我的名字是"
    "|本人)[:：]?\\s?(?P<zh>[\u4e00-\u9fff]{2,4})(?=[,，。;；、\\s(（]|今年|$)"
    "|(?P<ja>[\u4e00-\u9fff]{1,3}[ 　]?[\u4e00-\u9fff\u3040-\u30ff]{1,4})(?=さん|様|氏|先生)|(?:氏名|名前は|私は"
    "|名前[:：])\\s?(?P<jb>[\u4e00-\u9fff\u30a0-\u30ff]{1,5}[ 　]?[\u4e00-\u9fff\u3040-\u30ff]{0,4})(?=です|と|[,、。\\s]|$)"
    "|(?P<ko>[김이박최정강조윤장임한오서신권황안송류홍전고문양손배백허남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반라왕금옥육인맹제모][가-힣]{2})(?= ?(?:씨|님|환자|과장"
    "|대리|부장|선생))"
)
_NOT_NAMES = frozenset({
    "The", "This", "That", "These", "Those", "There", "Here", "What", "Which", "When", "Where", "Who", "Why",
    "How", "Is", "Are", "Was", "Were", "Be", "Been", "Do", "Does", "Did", "Has", "Have", "Had", "Can", "Could",
    "Will", "Would", "Shall", "Should", "May", "Might", "Must", "A", "An", "And", "Or", "But", "If", "Then",
    "Than", "Of", "In", "On", "At", "To", "For", "From", "With", "By", "As", "It", "Its", "Not", "No", "Yes",
    "Please", "Thanks", "Thank", "You", "Your", "We", "Our", "They", "Their", "He", "She", "His", "Her", "My",
    "Me", "I", "Am", "Doctor", "Patient", "Name", "Support", "Team", "Sales", "Service", "Customer", "Department",
    "Office", "Manager", "Director", "Company", "Group", "Inc", "Ltd", "Gmbh", "Email", "Phone", "Address",
    "Date", "New", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January",
    "February", "March", "April", "June", "July", "August", "September", "October", "November", "December",
    "English", "German", "French", "Spanish", "Italian", "American", "British", "Chinese", "Russian", "Number",
    "Id", "Card", "Order", "Account", "Ist", "Der", "Die", "Das", "Und", "Ein", "Eine", "Le", "Les", "Un", "Une",
    "El", "Los", "Las", "Una", "Il", "Lo", "Gli",
})  # fmt: skip


def rules() -> Sequence[Rule]:
    first_names = (*_INTRODUCTIONS[:2], *_INTRODUCTIONS[5:7])
    return (
        _announced(_TITLES, rf"(?:[A-Z]\. ){{0,2}}{_NAME}", r"\.?(?: (?:Dr|Prof|med)\.){0,3} "),
        _announced(
            _FIELDS,
            rf"(?:[A-Z]\. ?){{0,2}}{_FULL}",
            r"(?:\s?[:=]\s?[\"']?|[\"']\s?:\s?[\"']|,? (?:is |named |called |ist )?)",
        ),
        _announced(_INTRODUCTIONS, _FULL, r",? (?:(?:Dr|Mrs?|Ms)\.? )?"),
        _announced(first_names, _NAME, r" "),
        _announced(_CLOSINGS, rf"{_FULL}(?=\s*(?:\n|,|\.?\Z))", r",?!?\s{1,4}"),
        _announced(_CYRILLIC_CUES, _CYRILLIC, r"[:,]? "),
        Rule(kind="person", triggers=_EASTERN_CUES, pattern=pattern(_EASTERN), accept=_eastern, reach=24),
    )


def _announced(words: Sequence[str], name: str, between: str) -> Rule:
    return cued("person", words, name, between=between, accept=_name, reach=96, cased=True)


def _name(match: re.Match[str]) -> Span | None:
    """None where a word that begins a sentence or names a thing stands first; cut before one that stands later."""
    start = match.start("it")
    end = start
    for index, word in enumerate(re.finditer(r"\S+", match["it"])):
        if word[0] in _NOT_NAMES:
            if index == 0:
                return None
            break
        end = start + len(word[0].removesuffix("'s")) + word.start()
    return (start, end) if end > start else None


def _eastern(match: re.Match[str]) -> Span | None:
    group = match.lastgroup
    return match.span(group) if group is not None else None
