"""Model files made to be judged: malicious ones, broken ones and harmless ones. None of them is ever loaded.

The payloads are put together from opcodes, so nothing that they name is imported here, and what they would run if
somebody loaded them is `echo`.
"""

from __future__ import annotations

import bz2
import collections
import datetime
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

Verdict = Literal["malicious", "broken", "harmless", "unlisted"]

COMMAND = "echo isthmus"


@dataclass(frozen=True, slots=True)
class Made:
    """A file that was made."""

    name: str
    """File name, with the suffix under which it would be found."""
    about: str
    verdict: Verdict
    """malicious: loading it as its name suggests runs code, or a template reaches for it; broken: it lies about itself,
    so that readers in C or two programmes go different ways; harmless; unlisted: harmless as far as anybody knows, and
    unpickling it runs code of a library that our list does not have."""
    content: bytes
    core: bool = False
    """One of the eleven that all scanners were first compared on."""


def text(value: str) -> bytes:
    """Push a text."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def named(module: str, name: str) -> bytes:
    """Import by GLOBAL."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def call(module: str, name: str, *arguments: str) -> bytes:
    """A pickle that calls something with texts."""
    return b"\x80\x02" + named(module, name) + b"(" + b"".join(map(text, arguments)) + b"tR."


SYSTEM = call("posix", "system", COMMAND)

GADGETS: tuple[tuple[str, str], ...] = (
    ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
    ("builtins", "getattr"),
    ("code", "InteractiveInterpreter.runcode"),
    ("ctypes", "CDLL"),
    ("distutils.file_util", "write_file"),
    ("doctest", "debug_script"),
    ("ensurepip", "_run_pip"),
    ("functools", "partial"),
    ("importlib", "import_module"),
    ("lib2to3.pgen2.pgen", "ParserGenerator.make_label"),
    ("linecache", "getline"),
    ("logging", "FileHandler"),
    ("marshal", "loads"),
    ("multiprocessing.util", "spawnv_passfds"),
    ("numpy.f2py.crackfortran", "_eval_length"),
    ("numpy.testing._private.utils", "runstring"),
    ("operator", "methodcaller"),
    ("pkgutil", "resolve_name"),
    ("profile", "Profile.run"),
    ("pty", "spawn"),
    ("pydoc", "locate"),
    ("site", "main"),
    ("ssl", "get_server_certificate"),
    ("torch._dynamo.guards", "GuardBuilder.get"),
    ("torch.jit.unsupported_tensor_ops", "execWrapper"),
    ("torch.utils.bottleneck.__main__", "run_prof"),
    ("torch.utils.collect_env", "run"),
    ("trace", "Trace.run"),
    ("types", "CodeType"),
    ("uuid", "_get_command_stdout"),
    ("webbrowser", "open"),
)
"""Functions that published advisories on scanners of pickles are about, and some of the same kind."""

_TENSOR = (
    named("torch._utils", "_rebuild_tensor_v2")
    + b"(("
    + text("storage")
    + named("torch", "FloatStorage")
    + text("0")
    + text("cpu")
    + b"K\x04tQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89"
    + named("collections", "OrderedDict")
    + b")RtR"
)
STATE_DICT = b"\x80\x02" + named("collections", "OrderedDict") + b")R(" + text("layer.weight") + _TENSOR + b"u."
"""As torch writes the pickle of a state dict."""


def zipped(files: dict[str, bytes], *, packed: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def torch_zip(pickled: bytes) -> bytes:
    """A file of torch since 1.6."""
    return zipped({"archive/data.pkl": pickled, "archive/data/0": bytes(16), "archive/version": b"3\n"})


def torch_legacy(pickled: bytes) -> bytes:
    """A file of torch before 1.6: five pickles, then tensors."""
    lead = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
    return b"".join(pickle.dumps(part, 2) for part in lead) + pickled + pickle.dumps(["0"], 2) + bytes(24)


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def array_file(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def object_array(pickled: bytes) -> bytes:
    """A `.npy` file of Python objects, with a pickle of our choice for them."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return out.getvalue() + pickled


def joblib_array(data: bytes, *, count: int, closing: bytes = b".") -> bytes:
    """A file of joblib: the description of an array, its bytes, and the rest of the pickle."""
    dtype = (
        named("numpy", "dtype")
        + b"("
        + text("f8")
        + b"\x89\x88tR(K\x03"
        + text("<")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    state = b"}(" + text("subclass") + named("numpy", "ndarray") + text("shape") + b"K" + bytes([count]) + b"\x85"
    state += text("order") + text("C") + text("dtype") + dtype + text("allow_mmap") + b"\x89u"
    return b"\x80\x02" + named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + state + b"b" + data + closing


def keras(layer: dict[str, object]) -> bytes:
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}
    return zipped(
        {"metadata.json": b"{}", "config.json": json.dumps(config).encode(), "model.weights.h5": b"\x89HDF\r\n\x1a\n"}
    )


def keras_h5(layer: str) -> bytes:
    config = json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": layer, "config": {}}]}})
    return b"\x89HDF\r\n\x1a\n" + bytes(512) + config.encode() + bytes(512)


def safetensors(header: str, data: bytes = bytes(16)) -> bytes:
    raw = header.encode()
    return struct.pack("<Q", len(raw)) + raw + data


TENSOR_ENTRY = '"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}'


def _gguf_text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf(template: str = "", *, offset: int = 0, elements: int = 8, data: bytes = bytes(32), tensors: int = 1) -> bytes:
    """A GGUF file with one tensor of 32-bit numbers."""
    entries = [_gguf_text("general.architecture") + struct.pack("<I", 8) + _gguf_text("llama")]
    entries.append(
        _gguf_text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + _gguf_text("a") + _gguf_text("b")
    )
    if template:
        entries.append(_gguf_text("tokenizer.chat_template") + struct.pack("<I", 8) + _gguf_text(template))
    lead = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(entries)) + b"".join(entries)
    lead += _gguf_text("w") + struct.pack("<IQIQ", 1, elements, 0, offset)
    return lead + bytes(-len(lead) % 32) + data


PLAIN_TEMPLATE = (
    "{%- set ns = namespace(found=false) -%}{%- for message in messages -%}"
    "{%- if message.role == 'system' and loop.first -%}"
    "{{ '<|im_start|>system\\n' + message['content'] | trim + '<|im_end|>' }}{%- elif message.role == 'tool' -%}"
    "{%- set ns.found = true -%}{{ message.content.split('</think>')[-1].lstrip('\\n') }}{%- else -%}"
    "{{ '<|im_start|>' ~ message['role'] ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}"
    "{%- endif -%}{%- endfor -%}"
    "{%- if tools is defined %}{{ tools | map(attribute='function') | list | tojson(indent=4) }}{% endif -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{{ raise_exception('no') if ns.found }}"
    "{%- endif -%}"
)
"""As the templates of models go."""

TEMPLATES: tuple[tuple[str, str], ...] = (
    ("attributes", "{{ ''.__class__.__mro__[1].__subclasses__() }}"),
    ("cycler", "{{ cycler.__init__.__globals__.os.popen('" + COMMAND + "').read() }}"),
    ("subscript", "{% for m in messages %}{{ m['__class__'] }}{% endfor %}"),
    ("attr-filter", "{{ messages | attr('\\x5f\\x5fclass\\x5f\\x5f') }}"),
    ("joined", "{{ messages['_' * 2 ~ 'class' ~ '__'] }}"),
    ("map", "{{ messages | map(attribute='__class__.__mro__') | list }}"),
    ("loaded", "{% include '/etc/passwd' %}"),
)


def _broken_zip(content: bytes, at: bytes, field: int, value: bytes) -> bytes:
    """A zip archive with some bytes of a header changed, counted from a signature."""
    begin = content.index(at) + field
    return content[:begin] + value + content[begin + len(value) :]


def _tricks() -> Iterator[Made]:
    """Ways to make a scanner see something else than the unpickler does."""
    memo = text("posix") + b"q\x00" + text("system") + b"q\x01"
    memo += text("torch._utils") + b"\x94" + text("_rebuild_tensor_v2") + b"\x94"
    yield Made(
        "memo.pkl",
        "two sorts of memo, mixed",
        "malicious",
        b"\x80\x04" + memo + b"h\x00h\x01\x93(" + text(COMMAND) + b"tR.",
    )
    first = b"\x8c\x05posix\x8c\x06system\x93(" + text(COMMAND) + b"tR."
    yield Made("first.pkl", "STACK_GLOBAL over the very first instructions", "malicious", first)
    yield Made("broken-off.pkl", "runs, then breaks off", "malicious", SYSTEM[:-1])
    yield Made(
        "garbage.pkl", "runs, then goes on with what is no instruction", "malicious", SYSTEM[:-1] + b"\xff\xff\xff."
    )
    yield Made("second.pkl", "the second of two pickles", "malicious", pickle.dumps({"a": 1}) + SYSTEM)
    computed = b"\x80\x04" + named("collections", "OrderedDict") + b")R\x8c\x06system\x93."
    yield Made("computed.pkl", "the name to import is computed", "malicious", computed)
    renamed = named("numpy", "prod") + b"N}(" + text("a") + text("posix") + text("b") + text("system") + b"u\x86b0"
    renamed += named("numpy", "prod.a") + named("numpy", "prod.b") + b"\x93(" + text(COMMAND) + b"tR."
    yield Made(
        "renamed.pkl", "puts names into an import, and reads them from there", "malicious", b"\x80\x04" + renamed
    )
    yield Made("inst.pkl", "INST, protocol 0", "malicious", b"(S'" + COMMAND.encode() + b"'\niposix\nsystem\n.")
    yield Made("obj.pkl", "OBJ", "malicious", b"\x80\x02(" + named("posix", "system") + text(COMMAND) + b"o.")
    escaped = b"\x80\x04S'\\x70osix'\nS'system'\n\x93(" + text(COMMAND) + b"tR."
    yield Made("escaped.pkl", "a name with an escape in it", "malicious", escaped)
    yield Made("extension.pkl", "the extension registry", "malicious", b"\x80\x02\x82\x01(" + text(COMMAND) + b"tR.")
    dotted = b"\x80\x04" + text("collections") + text("abc.sys.modules.get") + b"\x93(" + text("os") + b"tR."
    yield Made("dotted.pkl", "a harmless module, and attributes from it onwards", "malicious", dotted)
    lead = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    magic = call("builtins", "eval", "0x1950a86a20f9469cfc6c")
    rest = torch_legacy(STATE_DICT)[len(lead) :]
    yield Made("magic.pt", "torch's magic number, computed", "malicious", magic + rest)
    yield Made("model.bin", "torch's zip named .bin", "malicious", torch_zip(SYSTEM))
    plain = torch_zip(SYSTEM)
    yield Made(
        "flags.pt",
        "zip: entries marked as encrypted",
        "malicious",
        _broken_zip(_broken_zip(plain, b"PK\x01\x02", 8, b"\x01"), b"PK\x03\x04", 6, b"\x01"),
    )
    yield Made(
        "names.pt",
        "zip: another name in front of the data",
        "malicious",
        _broken_zip(plain, b"PK\x03\x04", 30, b"archive/data.txt"),
    )
    yield Made(
        "checksum.pt", "zip: wrong checksum", "malicious", _broken_zip(plain, b"PK\x01\x02", 16, b"\x00\x00\x00\x00")
    )
    hidden = zipped({"archive/data.pkl": STATE_DICT, "archive/.format": SYSTEM, "archive/data/0": bytes(16)})
    yield Made("hidden.pt", "zip: a pickle under another name", "malicious", hidden)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("archive/data.pkl", SYSTEM)
        archive.writestr("archive/data2pkl", STATE_DICT)
    yield Made(
        "twice.pt", "zip: two entries of one name", "malicious", twice.getvalue().replace(b"data2pkl", b"data.pkl")
    )
    yield Made("two-formats.pt", "a pickle that ends as a zip archive", "malicious", SYSTEM + torch_zip(STATE_DICT))
    body = b"0" + named("posix", "system") + b"(" + text(COMMAND) + b"tR."
    body += bytes(-len(body) % 8)
    hiding = joblib_array(body, count=len(body) // 8)
    yield Made("as-gguf.bin", "a pickle that begins as GGUF", "malicious", b"GGUF\x03\x00\x00\x00\x00" + SYSTEM[2:])
    yield Made("as-zip.pkl", "a pickle that begins as a zip archive", "malicious", b"PK\x03\x04\n" + SYSTEM[2:])
    tar = tarred({SYSTEM[2:].decode("latin-1"): b"", "model": STATE_DICT})
    yield Made("as-tar.pkl", "a pickle that is the name in a tar archive", "malicious", tar)
    yield Made("array.pkl", "instructions in the bytes of an array of joblib", "malicious", hiding)
    yield Made("framed.joblib", "instructions in a frame around an array of joblib", "malicious", _framed())


def _framed() -> bytes:
    """joblib's unpickler reads a frame ahead, so what stands in it behind the array's description is run."""
    described = joblib_array(b"", count=1, closing=b"")[2:]
    behind = b"0" + SYSTEM[2:-1]
    frame = described + behind
    return b"\x80\x04\x95" + struct.pack("<Q", len(frame)) + frame + bytes(8) + b"."


def made() -> tuple[Made, ...]:
    """All files."""
    return tuple(_made())


def _made() -> Iterator[Made]:
    yield Made(
        "benign.pkl", "plain containers", "harmless", pickle.dumps({"a": [1, 2.5, None, (True, "x")]}), core=True
    )
    yield Made("os-system.pkl", "posix.system", "malicious", SYSTEM, core=True)
    yield Made("runpy.pkl", "runpy._run_code", "malicious", call("runpy", "_run_code", COMMAND), core=True)
    yield Made("timeit.pkl", "timeit.timeit", "malicious", call("timeit", "timeit", "0"), core=True)
    yield Made("cprofile.pkl", "cProfile.run", "malicious", call("cProfile", "run", "0"), core=True)
    yield Made("idlelib.pkl", "idlelib.run", "malicious", call("idlelib.run", "Executive.runcode", "0"), core=True)
    yield Made("pip.pkl", "pip main", "malicious", call("pip", "main", "list"), core=True)
    yield Made("torch.pt", "torch's zip, posix.system", "malicious", torch_zip(SYSTEM), core=True)
    layer: dict[str, object] = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__"}},
    }
    yield Made("lambda.keras", "Keras 3, Lambda", "malicious", keras(layer), core=True)
    yield Made("model.safetensors", "safetensors", "harmless", safetensors("{" + TENSOR_ENTRY + "}"), core=True)
    yield Made("injection.gguf", "GGUF, template with cycler", "malicious", gguf(TEMPLATES[1][1]), core=True)
    for module, name in GADGETS:
        yield Made(f"gadget-{module}.pkl", f"{module}.{name}", "malicious", call(module, name, "0"))
    yield from _tricks()
    yield Made("objects.npy", "numpy, an array of objects", "malicious", object_array(SYSTEM))
    yield Made(
        "objects.npz", "numpy, an archive with one", "malicious", zipped({"a.npy": object_array(SYSTEM)}, packed=True)
    )
    yield Made("gzip.pkl", "compressed with gzip", "malicious", gzip.compress(SYSTEM))
    yield Made("zlib.joblib", "compressed with zlib, as joblib does", "malicious", zlib.compress(SYSTEM))
    yield Made("xz.joblib", "compressed with xz, as joblib does", "malicious", lzma.compress(SYSTEM))
    yield Made("bzip2.joblib", "compressed with bzip2, as joblib does", "malicious", bz2.compress(SYSTEM))
    yield Made("legacy.pt", "torch before 1.6", "malicious", torch_legacy(SYSTEM))
    yield Made(
        "older.pt", "torch before 0.1.10, tar", "malicious", tarred({"sys_info": pickle.dumps({}, 2), "pickle": SYSTEM})
    )
    yield Made(
        "module.keras",
        "Keras 3, a function of another module",
        "malicious",
        keras({"module": "os", "class_name": "system", "config": {}}),
    )
    yield Made(
        "wrapper.keras",
        "Keras 3, TorchModuleWrapper",
        "malicious",
        keras({"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}}),
    )
    yield Made("lambda.h5", "Keras 2, Lambda", "malicious", keras_h5("Lambda"))
    for name, template in TEMPLATES:
        yield Made(f"template-{name}.gguf", f"GGUF, template: {name}", "malicious", gguf(template))
    yield Made("outside.gguf", "GGUF, a tensor outside of the file", "broken", gguf(offset=1 << 20))
    yield Made("counts.gguf", "GGUF, more tensors than there are bytes", "broken", gguf(tensors=1 << 60))
    yield Made(
        "long.safetensors", "safetensors, a header longer than the file", "broken", struct.pack("<Q", 1 << 40) + b"{}"
    )
    overlap = "{" + TENSOR_ENTRY + ',"v":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}'
    yield Made("overlap.safetensors", "safetensors, one tensor in another", "broken", safetensors(overlap))
    yield Made(
        "twice.safetensors",
        "safetensors, a key twice",
        "broken",
        safetensors("{" + TENSOR_ENTRY + "," + TENSOR_ENTRY + "}"),
    )
    yield Made(
        "behind.safetensors",
        "safetensors, a pickle behind the tensors",
        "broken",
        safetensors("{" + TENSOR_ENTRY + "}", bytes(16) + SYSTEM),
    )
    values = {
        "when": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        "d": collections.OrderedDict(a={1, 2}),
        "b": bytearray(b"x"),
    }
    for protocol in range(6):
        yield Made(
            f"protocol-{protocol}.pkl", f"containers, protocol {protocol}", "harmless", pickle.dumps(values, protocol)
        )
    yield Made("array-numpy.pkl", "an array of numpy", "harmless", pickle.dumps(np.arange(12.0).reshape(3, 4)))
    yield Made("plain.npy", "numpy", "harmless", array_file(np.arange(5)))
    yield Made(
        "plain.npz",
        "numpy, an archive",
        "harmless",
        zipped({"a.npy": array_file(np.arange(5)), "b.npy": array_file(np.ones(3))}),
    )
    yield Made("state.pt", "torch's zip, a state dict", "harmless", torch_zip(STATE_DICT))
    yield Made("pytorch_model.bin", "torch's zip, named .bin", "harmless", torch_zip(STATE_DICT))
    yield Made("state-legacy.pt", "torch before 1.6, a state dict", "harmless", torch_legacy(STATE_DICT))
    yield Made("plain.joblib", "joblib, an array", "harmless", joblib_array(np.linspace(0, 1, 9).tobytes(), count=9))
    packed = zlib.compress(pickle.dumps({"a": 1}))
    yield Made("packed.joblib", "joblib, compressed", "harmless", packed)
    dense: dict[str, object] = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"units": 1, "activation": "relu"},
        "registered_name": None,
    }
    yield Made("dense.keras", "Keras 3", "harmless", keras(dense))
    yield Made("dense.h5", "Keras 2", "harmless", keras_h5("Dense"))
    for module, name in (
        ("sklearn.linear_model._base", "LinearRegression"),
        ("pandas.core.frame", "DataFrame"),
        ("transformers.training_args", "TrainingArguments"),
    ):
        instance = b"\x80\x02" + named(module, name) + b")\x81}" + text("x") + b"K\x01sb."
        yield Made(f"object-{module.partition('.')[0]}.pkl", f"{module}.{name}", "unlisted", instance)
    yield Made("plain.gguf", "GGUF, an ordinary template", "harmless", gguf(PLAIN_TEMPLATE))
    yield Made("numbers.bin", "bytes of numbers", "harmless", np.linspace(-1, 1, 64, dtype=np.float32).tobytes())
    named_twice = safetensors("{" + '"__metadata__":{"format":"pt"},' + TENSOR_ENTRY + "}   ")
    yield Made("metadata.safetensors", "safetensors with metadata", "harmless", named_twice)
