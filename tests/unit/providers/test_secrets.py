import asyncio
import sys
from pathlib import Path
from types import ModuleType

import pytest

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import SecretRef
from isthmus.providers.secrets import KEEP_SECONDS, Secrets

ENV = SecretRef("env", "EXAMPLE_API_KEY")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def resolved(secrets: Secrets, ref: SecretRef) -> bytes:
    async def run() -> bytes:
        return await secrets.resolve(ref)

    return asyncio.run(run())


def test_a_secret_comes_from_the_environment() -> None:
    secrets = Secrets({"EXAMPLE_API_KEY": " sk-1\n"})
    assert secrets.known(ENV) is None
    assert resolved(secrets, ENV) == b"sk-1"
    assert secrets.known(ENV) == b"sk-1"


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-2\n")
    assert resolved(Secrets({}), SecretRef("file", str(file))) == b"sk-2"


def test_a_secret_that_was_changed_is_picked_up_before_long(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "key"
    ref = SecretRef("file", str(file))
    secrets = Secrets({}, clock=clock)
    file.write_text("old")
    assert resolved(secrets, ref) == b"old"
    file.write_text("new")
    clock.now += KEEP_SECONDS - 0.1
    assert secrets.known(ref) == b"old"
    clock.now += 0.2
    assert secrets.known(ref) is None
    assert resolved(secrets, ref) == b"new"


def test_a_secret_that_was_taken_away_is_not_used_any_longer() -> None:
    clock, environ = Clock(), {"EXAMPLE_API_KEY": "sk-1"}
    secrets = Secrets(environ, clock=clock)
    resolved(secrets, ENV)
    environ.clear()
    clock.now += KEEP_SECONDS + 1
    assert secrets.known(ENV) is None
    with pytest.raises(ConfigError):
        resolved(secrets, ENV)


@pytest.mark.parametrize("environ", [{}, {"EXAMPLE_API_KEY": ""}, {"EXAMPLE_API_KEY": " \n"}])
def test_a_secret_that_is_missing_is_named_with_what_to_do(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="env:EXAMPLE_API_KEY") as missing:
        resolved(Secrets(environ), ENV)
    assert "Set the environment variable EXAMPLE_API_KEY" in (missing.value.hint or "")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as missing:
        resolved(Secrets({}), SecretRef("file", str(tmp_path / "none")))
    assert str(tmp_path / "none") in (missing.value.hint or "")


@pytest.mark.parametrize("value", ["hush\r\nx-evil: 1", "hush\nhush", "hush\0", "húsh", "hush\x7f", "hush\u2028hush"])
def test_a_secret_that_no_header_can_carry_is_refused_and_not_shown(value: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(value.encode())
    for secrets, ref in ((Secrets({"EXAMPLE_API_KEY": value}), ENV), (Secrets({}), SecretRef("file", str(file)))):
        with pytest.raises(ConfigError) as refused:
            resolved(secrets, ref)
        assert "sh" not in refused.value.sentence.replace(str(tmp_path), "").replace("isthmus", "")


def test_a_file_that_is_not_text_is_refused_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"hush\xff\xfe")
    with pytest.raises(ConfigError, match="not text") as refused:
        resolved(Secrets({}), SecretRef("file", str(file)))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_a_secret_comes_from_the_keyring_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("keyring")
    kept = {("isthmus", "example"): "sk-3"}
    fake.get_password = lambda service, name: kept.get((service, name))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", fake)
    secrets = Secrets({})
    assert resolved(secrets, SecretRef("keyring", "example")) == b"sk-3"
    with pytest.raises(ConfigError) as missing:
        resolved(secrets, SecretRef("keyring", "other"))
    assert missing.value.hint == "Store it with `keyring set isthmus other`."


def test_without_the_package_for_it_the_keyring_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="needs the package keyring"):
        resolved(Secrets({}), SecretRef("keyring", "example"))
