"""The machine that follows pickles does what the unpickler does, above all where they could be told apart."""

import io
import pickle

import numpy as np
import pytest
from bench.model_file_set import COMMAND, joblib_array, named, text
from typing_extensions import override

from isthmus.doctor.modelfiles.pickles import Followed, Import, follow

SYSTEM = Import("posix", "system")


def followed(content: bytes) -> Followed:
    return follow(io.BytesIO(content))


@pytest.mark.parametrize(
    "body",
    [
        text("posix") + b"p00\n0" + text("system") + b"p1\n0g0\ng01\n\x93",
        text("posix") + b"q\x05" + text("system") + b"\x94h\x05h\x01\x93",
        text("posix") + b"2" + text("system") + b"\x94\x93",
        b"(" + text("x") + text("y") + b"0" + b"1" + text("posix") + text("system") + b"\x93",
        b"\x8c\x05posix\x8c\x06system\x93",
        b"V" + b"posix\n" + b"Vsystem\n\x93",
        b"S'posix'\nU\x06system\x93",
        b"T\x05\x00\x00\x00posix" + b'S"system"\n\x93',
        b"\x8d\x05\x00\x00\x00\x00\x00\x00\x00posix\x8c\x06system\x93",
    ],
)
def test_a_name_is_followed_over_stack_and_memo_however_it_gets_there(body: bytes) -> None:
    content = b"\x80\x04" + body + b"."
    assert SYSTEM in followed(content).imports
    seen: list[Import] = []

    class Watching(pickle.Unpickler):
        @override
        def find_class(self, module_name: str, global_name: str, /) -> object:
            seen.append(Import(module_name, global_name))
            return None

    Watching(io.BytesIO(content)).load()
    assert seen[-1] == SYSTEM


def test_what_is_no_text_is_not_imported_by_an_unpickler_and_ends_the_walk() -> None:
    found = followed(b"\x80\x04K\x01K\x02\x93" + text("posix") + text("system") + b"\x93.")
    assert found.imports == set()
    assert [fault.code for fault in found.faults] == ["malformed"]


def test_what_a_call_gave_is_not_called_unnoticed() -> None:
    content = b"\x80\x02" + named("collections", "OrderedDict") + b")R(" + text(COMMAND) + b"tR."
    assert [fault.code for fault in followed(content).faults] == ["computed-call"]


def test_altering_an_import_is_told_though_the_import_is_harmless() -> None:
    content = b"\x80\x02" + named("collections", "OrderedDict") + b"}" + text("x") + b"K\x01sb."
    assert [fault.code for fault in followed(content).faults] == ["changed-import"]


@pytest.mark.parametrize("dtype", ["f8", "i4", "u1", "?", "c16", "U3", "S4", "M8[s]"])
def test_arrays_of_numpy_are_harmless(dtype: str) -> None:
    assert followed(pickle.dumps(np.zeros(3, dtype=dtype))).faults == ()


def test_behind_an_array_of_joblib_the_pickle_goes_on() -> None:
    data = np.linspace(0, 1, 4).tobytes()
    assert followed(joblib_array(data, count=4)).faults == ()
    behind = joblib_array(data, count=4, closing=b"0" + named("posix", "system") + b".")
    assert SYSTEM in followed(behind).imports
    assert followed(joblib_array(data[:-1], count=4, closing=b"")).faults[0].code == "malformed"


def test_arrays_in_arrays_do_not_multiply_the_work() -> None:
    one = joblib_array(bytes(8), count=1, closing=b"0")[2:]
    nested = joblib_array(one + bytes(-len(one) % 8), count=-(-len(one) // 8))
    assert followed(nested * 50).pickles == 50
