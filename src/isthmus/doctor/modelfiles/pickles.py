"""Pickles, followed opcode by opcode without doing what they say.

A pickle is a programme for a machine with a stack, a memo and one instruction that imports by name. Names may reach
that instruction as its argument, from the stack, or through the memo, so all three are followed exactly as the
unpickler follows them. What may be imported is an allow-list (`harmless`); what cannot be told is refused like what is
not on it.

Source:
    The unpickler of the standard library (`pickle._Unpickler`); opcodes and their arguments as `pickletools` has them.
"""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from isthmus.doctor.check import Severity
from isthmus.doctor.modelfiles.harmless import HARMLESS, runs_code
from isthmus.doctor.modelfiles.judgement import Fault, FaultCode, quoted

OPCODES_MAX = 1_000_000
"""Instructions followed. A state dict of 10,000 tensors has about 400,000."""

PICKLES_MAX = 64
"""Pickles in a row, and inside each other."""

_FAULTS_MAX = 50
_KEPT_TEXT = 200
"""Characters of a string that are remembered. No module that is harmless has a longer name."""
_KEPT_ITEMS = 16
_LINE_MAX = 1 << 16
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""First of the five pickles of a file of torch before version 1.6; tensors follow the fifth."""
_TORCH_PICKLES = 5
_PROTOCOL_MAX = 5
_ASIDE_MAX = 10_000
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Import:
    """Something imported by name."""

    module: str
    name: str


@dataclass(slots=True)
class _Called:
    """What a call gave."""

    callee: object
    arguments: object


class _Unknown:
    """A value that does not matter, or cannot be known."""


class _Broken(Exception):
    """The pickle breaks off or breaks the rules: an unpickler stops here too."""


_UNKNOWN = _Unknown()


@dataclass(frozen=True, slots=True)
class Followed:
    """What was found in one or several pickles."""

    faults: tuple[Fault, ...]
    imports: frozenset[Import]
    pickles: int
    """Pickles that came to their end."""


def follow(file: BinaryIO, where: str = "", *, alone: bool = True) -> Followed:
    """Follow the pickles that begin at the position of a file.

    Args:
        file: seekable, of bounded size or bounded by the limits on opcodes.
        where: place of the pickle, for the sentences; empty: it is the file.
        alone: whether the pickles should fill the file to its end.
    """
    walk = _Walk(file, where)
    pickles, torch = 0, False
    try:
        while pickles < PICKLES_MAX:
            value = walk.one()
            torch = torch or (pickles == 0 and value == _TORCH_MAGIC)
            pickles += 1
            if torch and pickles == _TORCH_PICKLES:
                break  # what follows are tensors, which are read as bytes
            if not file.read(1):
                break
            file.seek(-1, io.SEEK_CUR)
            if not alone:
                break
        else:
            walk.fault("not-judged", f"holds more than {PICKLES_MAX} pickles in a row", "high")
    except _Broken as stop:
        if pickles and not torch:
            walk.fault("malformed", f"goes on behind pickle {pickles} with what is no pickle: {stop}", "warn")
        else:
            walk.fault("malformed", f"is no whole pickle: {stop}", "high" if walk.imports else "warn")
    return Followed(tuple(walk.faults), frozenset(walk.imports), pickles)


class _Walk:
    """The machine, with values replaced by what is known of them."""

    def __init__(self, file: BinaryIO, where: str, *, knows_arrays: bool = True) -> None:
        self._file = file
        self._knows_arrays = knows_arrays
        self._where = f"{where}: " if where else ""
        self.faults: list[Fault] = []
        self.imports: set[Import] = set()
        self._opcodes = 0
        self._depth = 0
        self._frame_end = 0

    def fault(self, code: FaultCode, says: str, severity: Severity) -> None:
        found = Fault(code, f"{self._where}{says}.", severity)
        if len(self.faults) < _FAULTS_MAX and found not in self.faults:
            self.faults.append(found)

    def one(self) -> object:
        """Follow one pickle to its end; returns what is known of its value.

        Raises:
            _Broken: it breaks off, breaks the rules, or goes beyond a bound.
        """
        if self._depth >= PICKLES_MAX:
            raise _Broken("pickles are nested too deep")
        self._depth += 1
        run = _Run(self)
        try:
            while not run.stopped:
                self._opcodes += 1
                if self._opcodes > OPCODES_MAX:
                    self.fault("not-judged", f"has more than {OPCODES_MAX:,} instructions", "high")
                    raise _Broken("it was not followed to its end")
                run.take(self)
        except IndexError:
            raise _Broken("takes from an empty stack") from None
        self._depth -= 1
        return run.value

    def instruction(self) -> tuple[str, object]:
        """Read the next instruction and its argument."""
        code = self._file.read(1)
        if not code:
            raise _Broken("it ends before its last instruction")
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise _Broken(f"byte 0x{code[0]:02x} is no instruction")
        return opcode.name, None if opcode.arg is None else self._argument(opcode.arg)

    def _argument(self, kind: pickletools.ArgumentDescriptor) -> object:
        if kind.n >= 0:
            return _number(kind.name, self._exactly(kind.n))
        if kind.n == pickletools.UP_TO_NEWLINE:
            first = self._line()
            return (first, self._line()) if kind.name == "stringnl_noescape_pair" else _text_of(kind.name, first)
        size = {-2: 1, -3: 4, -4: 4, -5: 8}[kind.n]
        length = int.from_bytes(self._exactly(size), "little", signed=kind.n == pickletools.TAKEN_FROM_ARGUMENT4)
        if length < 0:
            raise _Broken("a length is negative")
        return self._payload(kind.name, length)

    def _payload(self, kind: str, length: int) -> object:
        if kind in {"long1", "long4"}:
            return int.from_bytes(self._exactly(length), "little", signed=True) if length <= 32 else self._skip(length)
        if length > 4 * _KEPT_TEXT or ("unicode" not in kind and "string" not in kind):
            return self._skip(length)
        return _decoded(self._exactly(length), "utf-8" if "unicode" in kind else "ascii")

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise _Broken("it ends in the middle of an instruction")
        return data

    def _line(self) -> bytes:
        line = self._file.readline(_LINE_MAX)
        if not line.endswith(b"\n"):
            raise _Broken("a line has no end" if len(line) < _LINE_MAX else "a line is too long to be followed")
        return line[:-1]

    def _skip(self, length: int) -> object:
        """Pass over bytes that do not matter, and see that they are there."""
        if length >= 1 << 62:
            raise _Broken("a length is larger than any file")
        if length:
            self._file.seek(length - 1, io.SEEK_CUR)
            self._exactly(1)
        return _UNKNOWN

    def imported(self, found: Import) -> Import:
        self.imports.add(found)
        if (found.module, found.name) in HARMLESS:
            return found
        name = quoted(f"{found.module}.{found.name}")
        if runs_code(found.module):
            self.fault(
                "unsafe-import", f"imports {name}, which can run code or reach files when it is loaded", "critical"
            )
        else:
            self.fault("unknown-import", f"imports {name}, which no tensor needs; loading it runs that code", "high")
        return found

    def frame(self, length: int) -> None:
        """From here on so many bytes are read ahead."""
        self._frame_end = self._file.tell() + length

    def array(self, run: _Run, state: object) -> None:
        """Pass over the bytes that joblib puts behind the description of an array, in the middle of the pickle.

        Whoever loads the file without joblib takes them for instructions, so they are looked at as such first.

        Source:
            joblib, `numpy_pickle.NumpyArrayWrapper.read_array`.
        """
        if not self._knows_arrays:
            return
        if self._file.tell() < self._frame_end:
            raise _Broken("an array begins inside a frame, so instructions could hide in it")
        self._opcodes += run.height
        self._as_instructions(run.copy())
        known = state if isinstance(state, dict) else {}
        shape, dtype = known.get("shape"), known.get("dtype")
        arguments = dtype.arguments if isinstance(dtype, _Called) else ()
        kind = arguments[0] if isinstance(arguments, tuple) and arguments else None
        match = re.fullmatch(r"[<>|=]?([a-zA-Z])(\d{0,8})", kind) if isinstance(kind, str) else None
        if match is not None and match[1] == "O":
            self.one()
            return
        if match is None or match[1] not in _ITEM_BYTES or not isinstance(shape, tuple):
            raise _Broken("an array of joblib is described in a way that is not followed")
        if known.get("numpy_array_alignment_bytes") is not None:
            self._skip(self._exactly(1)[0])
        count = int(match[2] or 1) * _ITEM_BYTES[match[1]]
        for extent in shape:
            if type(extent) is not int or extent < 0:
                raise _Broken("the shape of an array is not told")
            count *= extent
        if count >= 1 << 62:
            raise _Broken("an array is larger than any file")
        self._skip(count)

    def _as_instructions(self, run: _Run) -> None:
        """What a loader would do that knows nothing of arrays; goes back to where it was."""
        here = self._file.tell()
        aside = _Walk(self._file, self._where.removesuffix(": "), knows_arrays=False)
        try:
            while not run.stopped and aside._opcodes < _ASIDE_MAX:
                aside._opcodes += 1
                run.take(aside)
        except (_Broken, IndexError):
            pass
        self._file.seek(here)
        self._opcodes += aside._opcodes  # the bound holds for all of it
        # Numbers sometimes look like an import of something with an impossible name.
        if any(_MODULE.fullmatch(found.module) for found in aside.imports):
            for found in aside.faults:
                self.fault(found.code, f"in the bytes of an array: {found.says.rstrip('.')}", found.severity)


class _Run:
    """One pickle under way: its stack and its memo."""

    def __init__(self, walk: _Walk) -> None:
        self._walk = walk
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        """Stacks below the marks."""
        self._memo: dict[int, object] = {}
        self._earlier: dict[int, object] = {}
        """The memo of the run that this one was copied from; it may be large, so it is not copied."""
        self._places = 0
        """Places of both memos that are taken."""
        self.stopped = False
        self.value: object = _UNKNOWN

    def copy(self) -> _Run:
        """The same state, to be followed apart."""
        other = _Run(self._walk)
        other._stack, other._below = [*self._stack], [[*stack] for stack in self._below]
        other._earlier, other._places = self._memo, self._places
        return other

    @property
    def height(self) -> int:
        """Values on all stacks."""
        return len(self._stack) + sum(map(len, self._below))

    def take(self, walk: _Walk) -> None:
        """Follow one instruction, read from a walk, which is told what is found."""
        self._walk = walk
        name, argument = walk.instruction()
        action = _ACTIONS.get(name)
        if action is None:  # it pushes a constant
            self._stack.append(argument if isinstance(argument, (str, int)) or name == "NONE" else _UNKNOWN)
        else:
            action(self, argument)

    def _marked(self) -> list[object]:
        items, self._stack = self._stack, self._below.pop()
        return items

    # Instructions. The names are those of pickletools.

    def frame(self, argument: object) -> None:
        assert isinstance(argument, int)
        self._walk.frame(argument)

    def proto(self, argument: object) -> None:
        if not isinstance(argument, int) or argument > _PROTOCOL_MAX:
            raise _Broken("its protocol is not known")

    def stop(self, _argument: object) -> None:
        self.value = self._stack.pop()
        self.stopped = True

    def mark(self, _argument: object) -> None:
        self._below.append(self._stack)
        self._stack = []

    def pop(self, _argument: object) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._marked()

    def pop_mark(self, _argument: object) -> None:
        self._marked()

    def dup(self, _argument: object) -> None:
        self._stack.append(self._stack[-1])

    def put(self, argument: object) -> None:
        if not isinstance(argument, int):
            raise _Broken("it writes to a place of its memo that is too far away")
        self._keep(argument)

    def memoize(self, _argument: object) -> None:
        self._keep(self._places)

    def _keep(self, place: int) -> None:
        self._places += place not in self._memo and place not in self._earlier
        self._memo[place] = self._stack[-1]

    def get(self, argument: object) -> None:
        if isinstance(argument, int):
            for memo in (self._memo, self._earlier):
                if argument in memo:
                    self._stack.append(memo[argument])
                    return
        raise _Broken("it reads a place of its memo that is empty")

    def empty_dict(self, _argument: object) -> None:
        self._stack.append({})

    def mapping(self, _argument: object) -> None:
        items = self._marked()
        self._stack.append({})
        self._set(items)

    def set_item(self, _argument: object) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def set_items(self, _argument: object) -> None:
        self._set(self._marked())

    def _set(self, items: list[object]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=False):
                if isinstance(key, str) and (key in target or len(target) < _KEPT_ITEMS):
                    target[key] = value
        self._changes(target)

    def append(self, _argument: object) -> None:
        self._stack.pop()
        self._changes(self._stack[-1])

    def appends(self, _argument: object) -> None:
        self._marked()
        self._changes(self._stack[-1])

    def _changes(self, target: object) -> None:
        if isinstance(target, Import):
            self._walk.fault(
                "changed-import",
                f"alters {quoted(f'{target.module}.{target.name}')} for the whole programme",
                "critical",
            )

    def empty(self, _argument: object) -> None:
        self._stack.append(_UNKNOWN)

    def empty_tuple(self, _argument: object) -> None:
        self._stack.append(())

    def tuple_of_marked(self, _argument: object) -> None:
        items = self._marked()
        self._stack.append(tuple(items) if len(items) <= _KEPT_ITEMS else _UNKNOWN)

    def tuple_of(self, count: int) -> None:
        items = [self._stack.pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def container_of_marked(self, _argument: object) -> None:
        self._marked()
        self._stack.append(_UNKNOWN)

    def import_named(self, argument: object) -> None:
        assert isinstance(argument, tuple)
        self._stack.append(self._import_of(*(_decoded(part, "utf-8") for part in argument)))

    def import_from_stack(self, _argument: object) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(self._import_of(module, name))

    def _import_of(self, module: object, name: object) -> object:
        if isinstance(module, str) and isinstance(name, str):
            return self._walk.imported(Import(module, name))
        if not (_may_be_text(module) and _may_be_text(name)):
            raise _Broken("it imports by what is no name")
        self._walk.fault("untold-import", "imports something whose name it computes", "critical")
        return _UNKNOWN

    def extension(self, _argument: object) -> None:
        self._walk.fault("untold-import", "imports something by a number of the extension registry", "high")
        self._stack.append(_UNKNOWN)

    def call(self, _argument: object) -> None:
        arguments, callee = self._stack.pop(), self._stack.pop()
        self._call(callee, arguments)

    def call_with_names(self, _argument: object) -> None:
        _names, arguments, callee = self._stack.pop(), self._stack.pop(), self._stack.pop()
        self._call(callee, arguments)

    def call_marked(self, _argument: object) -> None:
        items = self._marked()
        self._call(items[0], tuple(items[1:]))

    def import_and_call(self, argument: object) -> None:
        arguments = self._marked()
        assert isinstance(argument, tuple)
        self._call(self._import_of(*(_decoded(part, "ascii") for part in argument)), tuple(arguments))

    def _call(self, callee: object, arguments: object) -> None:
        if callee is None or isinstance(callee, (str, int, tuple, dict)):
            raise _Broken("it calls what cannot be called")
        if not isinstance(callee, Import):
            self._walk.fault("computed-call", "calls something that it computes", "high")
        self._stack.append(_Called(callee, arguments))

    def build(self, _argument: object) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        self._changes(target)
        if isinstance(target, _Called) and target.callee == _ARRAY_OF_JOBLIB:
            self._walk.array(self, state)

    def persistent_from_stack(self, _argument: object) -> None:
        self._stack.pop()
        self._stack.append(_UNKNOWN)

    def readonly_buffer(self, _argument: object) -> None:
        self._stack[-1] = _UNKNOWN


_ACTIONS: dict[str, Callable[[_Run, object], None]] = {
    "FRAME": _Run.frame,
    "PROTO": _Run.proto,
    "STOP": _Run.stop,
    "MARK": _Run.mark,
    "POP": _Run.pop,
    "POP_MARK": _Run.pop_mark,
    "DUP": _Run.dup,
    "PUT": _Run.put,
    "BINPUT": _Run.put,
    "LONG_BINPUT": _Run.put,
    "MEMOIZE": _Run.memoize,
    "GET": _Run.get,
    "BINGET": _Run.get,
    "LONG_BINGET": _Run.get,
    "EMPTY_DICT": _Run.empty_dict,
    "DICT": _Run.mapping,
    "SETITEM": _Run.set_item,
    "SETITEMS": _Run.set_items,
    "APPEND": _Run.append,
    "APPENDS": _Run.appends,
    "ADDITEMS": _Run.appends,
    "EMPTY_LIST": _Run.empty,
    "EMPTY_SET": _Run.empty,
    "EMPTY_TUPLE": _Run.empty_tuple,
    "TUPLE": _Run.tuple_of_marked,
    "TUPLE1": lambda run, _: run.tuple_of(1),
    "TUPLE2": lambda run, _: run.tuple_of(2),
    "TUPLE3": lambda run, _: run.tuple_of(3),
    "LIST": _Run.container_of_marked,
    "FROZENSET": _Run.container_of_marked,
    "GLOBAL": _Run.import_named,
    "STACK_GLOBAL": _Run.import_from_stack,
    "EXT1": _Run.extension,
    "EXT2": _Run.extension,
    "EXT4": _Run.extension,
    "REDUCE": _Run.call,
    "NEWOBJ": _Run.call,
    "NEWOBJ_EX": _Run.call_with_names,
    "OBJ": _Run.call_marked,
    "INST": _Run.import_and_call,
    "BUILD": _Run.build,
    "PERSID": _Run.empty,
    "BINPERSID": _Run.persistent_from_stack,
    "NEXT_BUFFER": _Run.empty,
    "READONLY_BUFFER": _Run.readonly_buffer,
}

_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_ARRAY_OF_JOBLIB = Import("joblib.numpy_pickle", "NumpyArrayWrapper")
_ITEM_BYTES = {"b": 1, "i": 1, "u": 1, "f": 1, "c": 1, "S": 1, "V": 1, "M": 1, "m": 1, "U": 4}
"""Bytes for each unit of the number behind the letter (`f8`: 8 bytes, `U10`: 40)."""


def _may_be_text(value: object) -> bool:
    """Whether the unpickler would take it for a name: what is known not to be a text ends it."""
    return isinstance(value, (str, _Called, _Unknown))


def _number(kind: str, data: bytes) -> object:
    return _UNKNOWN if kind == "float8" else int.from_bytes(data, "little", signed=kind == "int4")


def _text_of(kind: str, line: bytes) -> object:
    """The value of an argument that ends with its line."""
    try:
        if kind == "decimalnl_short":
            return int(line) if len(line) <= 100 else _UNKNOWN  # INT has `01` for True; PUT and GET read it as a number
        if kind == "decimalnl_long":
            return int(line.removesuffix(b"L")) if len(line) <= 100 else _UNKNOWN
    except ValueError:
        raise _Broken(f"{quoted(line.decode('latin-1'))} is no number") from None
    if kind == "stringnl":
        # Quoted and escaped. Only what is between the quotes without an escape is read; the rest cannot be told.
        inner = line.strip()
        plain = len(inner) >= 2 and inner[:1] in {b"'", b'"'} and inner[-1:] == inner[:1] and b"\\" not in inner
        return _decoded(inner[1:-1], "ascii") if plain else _UNKNOWN
    if kind == "unicodestringnl":
        return _UNKNOWN if b"\\" in line else _decoded(line, "latin-1")
    return _UNKNOWN


def _decoded(data: bytes, encoding: str) -> object:
    """The string, where it is one that matters."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return _UNKNOWN
    return text if len(text) <= _KEPT_TEXT else _UNKNOWN
