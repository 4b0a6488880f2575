"""Every file of the set that scanners are compared on, judged as it was made; and bytes of no purpose."""

import io
import pickle
import struct
import sys
from pathlib import Path

import pytest
from bench.model_file_set import PLAIN_TEMPLATE, STATE_DICT, SYSTEM, Made, gguf, made, safetensors, torch_zip, zipped
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from isthmus.doctor.modelfiles import archives, pickles
from isthmus.doctor.modelfiles.judge import judge, judge_file
from isthmus.doctor.modelfiles.judgement import EXECUTES, Judgement

FILES = made()


def judged(content: bytes, name: str) -> Judgement:
    return judge(io.BytesIO(content), len(content), name)


@pytest.mark.parametrize("file", [file for file in FILES if file.verdict == "harmless"], ids=lambda file: file.name)
def test_a_harmless_file_has_no_fault(file: Made) -> None:
    assert judged(file.content, file.name).faults == ()


@pytest.mark.parametrize("file", [file for file in FILES if file.verdict != "harmless"], ids=lambda file: file.name)
def test_a_malicious_or_broken_file_has_one_and_so_has_what_is_not_on_the_list(file: Made) -> None:
    found = judged(file.content, file.name)
    assert any(fault.severity in {"high", "critical"} for fault in found.faults)


@pytest.mark.parametrize("name", [file.name for file in FILES if file.name.startswith("gadget-")])
def test_a_gadget_is_named(name: str) -> None:
    file = next(file for file in FILES if file.name == name)
    assert file.about in judged(file.content, name).faults[0].says


def test_nothing_that_a_pickle_names_is_imported() -> None:
    before = set(sys.modules)
    for file in FILES:
        judged(file.content, file.name)
    assert set(sys.modules) - before == set()


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_followed(protocol: int) -> None:
    assert judged(pickle.dumps({"a": [1, (2, 3), {4}, b"5"]}, protocol), "x.pkl").harmless
    bad = pickle.dumps(_Calls(), protocol)
    assert [fault.code for fault in judged(bad, "x.pkl").faults] == ["unsafe-import"]


class _Calls:
    @override
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pickle.loads, ("",)


def test_content_counts_before_the_name() -> None:
    """Whatever a pickle is called, it is one; and what is called a pickle and is none is no pass."""
    for name in ("model.safetensors.bak", "notes", "model.bin", "readme.txt"):
        assert judged(SYSTEM, name).faults[0].code in EXECUTES
    assert judged(SYSTEM, "model.safetensors").faults[0].code == "malformed"
    assert judged(b"hello", "model.pt").faults[0].code == "malformed"


@pytest.mark.parametrize("name", ["weights.bin", "licence", "vocab.txt", "image.png"])
@pytest.mark.parametrize(
    "content", [b"", b"(c) 2026 Somebody\nAll rights reserved.\n", bytes(64), b"\x89PNG\r\n\x1a\n" + bytes(9)]
)
def test_what_is_no_model_file_is_left_alone(name: str, content: bytes) -> None:
    assert judged(content, name).harmless


def test_a_file_cut_off_anywhere_is_judged_without_failing() -> None:
    for file in FILES:
        for length in range(0, len(file.content), max(1, len(file.content) // 12)):
            judged(file.content[:length], file.name)


NAMES = st.sampled_from(["x.pkl", "x.pt", "x.bin", "x.npy", "x.npz", "x.keras", "x.safetensors", "x.gguf", "x.h5", "x"])


@given(st.binary(max_size=400), NAMES)
def test_arbitrary_bytes_are_judged(content: bytes, name: str) -> None:
    judged(content, name)


@given(st.sampled_from(FILES), st.data())
def test_a_file_with_bytes_changed_is_judged(file: Made, data: st.DataObject) -> None:
    """Headers that lie, at places that matter."""
    content = bytearray(file.content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, *b"c(q\x94\x93R.u"]))
    judged(bytes(content), file.name)


@given(st.lists(st.sampled_from([*pickles._OPCODES]), max_size=40), st.binary(max_size=60))
def test_any_row_of_instructions_is_followed_without_failing(opcodes: list[bytes], rest: bytes) -> None:
    judged(b"\x80\x04" + b"".join(opcodes) + rest, "x.pkl")


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.integers(0, 5),
)
def test_plain_values_are_harmless_whatever_they_are(value: object, protocol: int) -> None:
    assert judged(pickle.dumps(value, protocol), "x.pkl").harmless


def test_a_pickle_of_too_many_instructions_is_not_followed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "OPCODES_MAX", 1_000)
    codes = [fault.code for fault in judged(b"\x80\x02" + b"N0" * 600 + b"N.", "x.pkl").faults]
    assert codes == ["not-judged", "malformed"]


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (archives, sys.modules["isthmus.doctor.modelfiles.judge"]):
        monkeypatch.setattr(module, "UNPACKED_MAX", 10_000)
    bomb = zipped({"archive/data.pkl": bytes(1_000_000)}, packed=True)
    assert [fault.code for fault in judged(bomb, "x.pt").faults] == ["not-judged"]
    assert [fault.code for fault in judged(__import__("zlib").compress(bytes(1_000_000)), "x.joblib").faults] == [
        "not-judged"
    ]


def test_archives_in_archives_end_somewhere() -> None:
    content = SYSTEM
    for _ in range(8):
        content = zipped({"inner.pt": content})
    assert any(fault.code == "not-judged" for fault in judged(content, "x.pt").faults)


def test_a_claimed_length_is_not_read() -> None:
    """A text of 2^62 bytes is not there, and no memory is taken for it."""
    assert judged(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62), "x.pkl").faults[0].code == "malformed"
    assert judged(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62), "x.pkl").faults[0].code == "malformed"


def test_arrays_of_an_npz_that_are_large_numbers_are_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    from bench.model_file_set import array_file

    monkeypatch.setattr(archives, "UNPACKED_MAX", 20_000)
    assert judged(zipped({"a.npy": array_file(np.zeros(100_000))}, packed=True), "x.npz").harmless


def test_whether_loading_unpickles_is_told_apart_from_whether_it_harms() -> None:
    assert judged(torch_zip(STATE_DICT), "x.pt").pickled
    assert not judged(gguf(PLAIN_TEMPLATE), "x.gguf").pickled
    assert not judged(safetensors("{}", b""), "x.safetensors").pickled


def test_a_pipe_is_not_opened_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        judge_file(path)
    (tmp_path / "y.pt").write_bytes(SYSTEM)
    assert judge_file(tmp_path / "y.pt").format == "pickle"
