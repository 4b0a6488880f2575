from collections.abc import Callable

import pytest

Find = Callable[[str, str], list[str]]

FOUND = [
    ("api_key", "key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("api_key", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("api_key", "OPENAI_API_KEY=sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12", "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12"),
    ("api_key", 'client_secret: "q8Zr1vT0mK5xW2pL9s"', "q8Zr1vT0mK5xW2pL9s"),
    ("api_key", "Authorization: Bearer q8Zr1vT0mK5xW2pL9sYb3", "q8Zr1vT0mK5xW2pL9sYb3"),
]

PASSED = [
    ("api_key", "sk-xxxxxxxxxxxxxxxxxxxxxxxx"),
    ("api_key", 'api_key = os.environ["KEY"]'),
    ("api_key", "the secret is perseverance and patience"),
    ("api_key", "token: your-token-goes-here-please"),
]


@pytest.mark.parametrize(("kind", "text", "thing"), FOUND)
def test_api_key_is_found_and_nothing_around_it(find: Find, kind: str, text: str, thing: str) -> None:
    assert find(kind, text) == [thing]


@pytest.mark.parametrize(("kind", "text"), PASSED)
def test_what_only_looks_like_api_key_passes(find: Find, kind: str, text: str) -> None:
    assert find(kind, text) == []
