from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("street_address", "He lives at 221B Baker Street, London NW1 6XE.", "221B Baker Street, London NW1 6XE"),
    ("street_address", "Lindenstraße 12, 10969 Berlin", "Lindenstraße 12, 10969 Berlin"),
    ("street_address", "au 12 rue de la Paix, 75002 Paris", "12 rue de la Paix, 75002 Paris"),
    ("street_address", "Calle de Alcalá 48, 28014 Madrid", "Calle de Alcalá 48, 28014 Madrid"),
    ("street_address", "via Roma 7, 20121 Milano", "via Roma 7, 20121 Milano"),
    ("street_address", "Keizersgracht 123", "Keizersgracht 123"),
    ("street_address", "ul. Długa 5", "ul. Długa 5"),
    ("street_address", "улица Ленина, д. 5, кв. 12", "улица Ленина, д. 5, кв. 12"),
    ("street_address", "北京市朝阳区建国路88号", "北京市朝阳区建国路88号"),
    ("street_address", "〒150-0001 東京都渋谷区神宮前1-2-3", "〒150-0001 東京都渋谷区神宮前1-2-3"),
]

PASSED = [
    ("street_address", "12 months on the road"),
    ("street_address", "the way to 5 o'clock"),
    ("street_address", "via email 3 times"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_street_address_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_street_address_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
