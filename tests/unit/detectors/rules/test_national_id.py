from collections.abc import Callable

import pytest
from stdnum.cn import ric

Find = Callable[[str, str], list[str]]

FOUND = [
    ("us_ssn", "SSN 536-22-8726", "536-22-8726"),
    ("us_ssn", "social security number 536228726", "536228726"),
    ("uk_nhs", "NHS number 943 476 5919", "943 476 5919"),
    ("uk_nino", "QQ? no: AB 12 34 56 C", "AB 12 34 56 C"),
    ("de_steuerid", "Steuer-ID 36574261809", "36574261809"),
    ("fr_nir", "2 95 10 99 126 111 93", "2 95 10 99 126 111 93"),
    ("es_dni", "DNI 54362315K", "54362315K"),
    ("es_nie", "x2482300w", "x2482300w"),
    ("it_codice_fiscale", "RCCMNL83S18D969H", "RCCMNL83S18D969H"),
    ("nl_bsn", "BSN: 1112.22.333", "1112.22.333"),
    ("be_nn", "85.07.30-033.28", "85.07.30-033.28"),
    ("pl_pesel", "PESEL 44051401359", "44051401359"),
    ("se_personnummer", "880320-0016", "880320-0016"),
    ("fi_hetu", "131052-308T", "131052-308T"),
    ("dk_cpr", "CPR 211062-5629", "211062-5629"),
    ("no_fodselsnummer", "fødselsnummer 151086 95088", "151086 95088"),
    ("at_svnr", "SVNR 1237 010180", "1237 010180"),
    ("ch_ahv", "756.9217.0769.85", "756.9217.0769.85"),
    ("pt_nif", "NIF 501 964 843", "501 964 843"),
    ("br_cpf", "390.533.447-05", "390.533.447-05"),
    ("in_aadhaar", "2341 2341 2346", "2341 2341 2346"),
    ("cn_ric", "11010519491231002X", "11010519491231002X"),
    ("tr_tckimlik", "TC kimlik no 17291716060", "17291716060"),
    ("ca_sin", "SIN 123-456-782", "123-456-782"),
    ("cn_ric", "我的身份证号11010519491231002X。", "11010519491231002X"),
    ("kr_rrn", "971013-9019902", "971013-9019902"),
]

PASSED = [
    ("us_ssn", "000-12-3456"),
    ("uk_nhs", "9434765919 items"),
    ("es_dni", "54362315L"),
    ("pl_pesel", "44051401358"),
    ("nl_bsn", "111222333 euros"),
    ("br_cpf", "390.533.447-06"),
    ("us_ssn", "part 536228726 of the order"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_national_id_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_national_id_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []


def test_a_number_that_a_library_stumbles_over_is_no_number(find: Find) -> None:
    """`stdnum.cn.ric` looks the county of birth up, and raises for those it does not know."""
    number = "110001198001010015"
    with pytest.raises(KeyError):
        ric.is_valid(number)
    assert find("cn_ric", f"身份证号 {number}") == []
