"""The agent behind a server: any client of OpenAI's API talks with it, and it reads real mail."""

from pathlib import Path

import pytest
from openai import AsyncOpenAI
from tests.fakes.http_server import listening
from tests.system.agent_process import scene

from isthmus.app import running
from isthmus.app_agent import served
from isthmus.gateway.agent import MODEL
from isthmus.settings import load

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_chat_client_has_mail_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scene(tmp_path) as desk:
        for name, value in desk.isthmus.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        desk.receive("Invoice 4711", "1,250 EUR are due.")
        desk.says([("mail_search", {})], "One, about an invoice.")
        async with running(load(desk.isthmus.file)) as app, served(app) as found, listening(app.gateway) as port:
            assert found is not None
            async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0) as client:
                assert MODEL in {model.id async for model in client.models.list()}
                answer = await client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": "Which mails are unread?"}]
                )
        assert answer.choices[0].message.content == "One, about an invoice."
        assert "Invoice 4711" in desk.model.last
    assert app.gateway.desk is None


async def test_an_agent_that_cannot_be_had_keeps_the_server_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scene(tmp_path) as desk:
        desk.isthmus.write(desk.isthmus.settings.replace('side = "own"', 'side = "hosted"'))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        async with running(load(desk.isthmus.file)) as app, served(app) as found:
            assert found is None
            assert app.gateway.desk is None
