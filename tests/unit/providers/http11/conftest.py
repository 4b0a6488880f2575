from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.fakes.gate import OPEN

from isthmus.domain.offer import Deadlines, Offer
from isthmus.providers.sender import HttpSender

OfferAt = Callable[..., Offer]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def sender(anyio_backend: object) -> AsyncIterator[HttpSender]:
    sender = HttpSender(OPEN)
    yield sender
    await sender.aclose()


@pytest.fixture
def offer_at() -> OfferAt:
    """An offer at an address; keyword arguments are its fields, those of its deadlines among them."""

    def offer(url: str, **fields: Any) -> Offer:
        limits = {
            name: fields.pop(name) for name in ("connect", "first_byte", "between_bytes", "total") & fields.keys()
        }
        known: dict[str, Any] = {
            "name": "there",
            "model": "m",
            "provider": "p",
            "dialect": "openai-chat",
            "side": "own",
            "deadlines": Deadlines(**limits),
        }
        return Offer(base_url=url, **(known | fields))

    return offer
