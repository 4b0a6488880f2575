"""Headers of safetensors and GGUF that lie, one lie at a time; and what is no lie."""

import io
import struct

import pytest
from bench.model_file_set import PLAIN_TEMPLATE, TENSOR_ENTRY, gguf, safetensors

from isthmus.doctor.modelfiles.judge import judge


def faults(content: bytes, name: str) -> list[str]:
    return [fault.says for fault in judge(io.BytesIO(content), len(content), name).faults]


@pytest.mark.parametrize(
    ("header", "data", "said"),
    [
        ("[]", b"", "no JSON object"),
        ("{", b"", "no JSON"),
        ("[" * 100_000, b"", "no JSON"),
        (" {}", b"", "no JSON object"),
        ('{"w": 1}', b"", "is not described"),
        ('{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}', bytes(4), "not known: `F99`"),
        ('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}', bytes(8), "another size"),
        ('{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', bytes(4), "no usable shape"),
        ('{"w":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}', bytes(4), "no usable shape"),
        ('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', bytes(4), "no usable shape"),
        ('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"", "outside of the file"),
        ('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', bytes(8), "belong to no tensor before"),
        ('{"__metadata__": {"x": 1}}', b"", "metadata are not texts"),
    ],
)
def test_a_header_of_safetensors_that_lies_is_told(header: str, data: bytes, said: str) -> None:
    assert said in faults(safetensors(header, data), "x.safetensors")[0]


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("{}", b""),
        ("{" + TENSOR_ENTRY + "}", bytes(16)),
        ('{"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}', bytes(8)),
        ('{"e":{"dtype":"I8","shape":[0,3],"data_offsets":[0,0]}}', b""),
        ('{"q":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', bytes(1)),
    ],
)
def test_a_header_of_safetensors_that_does_not_lie_is_passed(header: str, data: bytes) -> None:
    assert faults(safetensors(header, data), "x.safetensors") == []


def patched(at: bytes, offset: int, value: bytes) -> bytes:
    """A GGUF file with some bytes changed, counted from a text in it."""
    content = gguf(PLAIN_TEMPLATE)
    begin = content.rindex(at) + offset
    return content[:begin] + value + content[begin + len(value) :]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GGML" + bytes(60), "does not begin as GGUF"),
        (b"GGUF" + struct.pack("<I", 99) + bytes(60), "version 99"),
        (gguf()[:40], "ends in the middle"),
        (gguf(data=bytes(16)), "outside of the file"),
        (gguf(offset=8, data=bytes(64)), "multiple of 32"),
        (gguf(elements=1 << 62), "shape that cannot be"),
        (patched(b"general.architecture", 20, struct.pack("<I", 99)), "type 99"),
        (patched(b"general.architecture", 24, struct.pack("<Q", 1 << 60)), "ends in the middle"),
        (patched(b"tokenizer.ggml.tokens", 29, struct.pack("<Q", 1 << 50)), "claims"),
    ],
)
def test_a_gguf_file_that_lies_is_told(content: bytes, said: str) -> None:
    assert said in faults(content, "x.gguf")[0]


def test_a_type_of_tensors_that_is_too_new_is_a_warning_and_no_lie() -> None:
    content = patched(b"\x01\x00\x00\x00\x00\x00\x00\x00w", 21, struct.pack("<I", 77))
    (fault,) = judge(io.BytesIO(content), len(content), "x.gguf").faults
    assert (fault.code, fault.severity) == ("not-judged", "warn")


def test_two_keys_of_one_name_are_told() -> None:
    key = struct.pack("<Q", 1) + b"k" + struct.pack("<IB", 7, 1)
    content = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + key + key
    assert "stands twice" in faults(content, "x.gguf")[0]
