from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("password", "The password is Tr0ub4dor&3.", "Tr0ub4dor&3"),
    ("password", "das Passwort lautet Sommer2024!", "Sommer2024!"),
    ("password", "mot de passe : Soleil#77", "Soleil#77"),
    ("password", "la contraseña es Luna_99", "Luna_99"),
    ("password", "пароль: Zima2024", "Zima2024"),
    ("password", "密码是Abc12345", "Abc12345"),
    ("password", "PIN: 4921", "4921"),
    ("password", 'password: "correct horse"', "correct horse"),
    (
        "password",
        "seed phrase: abandon ability able about above absent absorb abstract absurd abuse access accident",
        "abandon ability able about above absent absorb abstract absurd abuse access accident",
    ),
]

PASSED = [
    ("password", "Your password is required."),
    ("password", "password: ********"),
    ("password", "password = getpass()"),
    ("password", "the password must be changed"),
    ("password", "pin the tail on the donkey"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_password_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_password_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
