"""Which imports of a pickle are harmless: what is needed to build tensors, arrays and plain containers, by full name.

An allow-list, because lists of what is forbidden lose: every few weeks another function of the standard library turns
out to run code for whoever may choose its arguments. What stands here was chosen by one question: can a caller who
chooses all arguments, of which every callable is itself from this list, do more than use up memory? The names of torch
are those that its own restricted loader (`weights_only`) lets through.
"""

from __future__ import annotations

_NAMES: dict[str, str] = {
    "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
    "__builtin__": "bool bytearray bytes complex dict float frozenset int list long object set slice str tuple "
    "unicode xrange",
    "_codecs": "encode",
    "collections": "Counter OrderedDict defaultdict deque",
    "copyreg": "_reconstructor",
    "copy_reg": "_reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "uuid": "UUID",
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "numpy": (
        "bool_ bytes_ complex64 complex128 dtype float16 float32 float64 int8 int16 int32 int64 longdouble ndarray "
        "object_ str_ uint8 uint16 uint32 uint64 void"
    ),
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.core._internal": "_reconstruct",
    "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "numpy.matrixlib.defmatrix": "matrix",
    "numpy.dtypes": (
        "BoolDType BytesDType Complex64DType Complex128DType DateTime64DType Float16DType Float32DType Float64DType "
        "Int8DType Int16DType Int32DType Int64DType ObjectDType StrDType TimeDelta64DType UInt8DType UInt16DType "
        "UInt32DType UInt64DType VoidDType"
    ),
    "torch": (
        "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage DoubleStorage "
        "FloatStorage HalfStorage IntStorage LongStorage QInt32Storage QInt8Storage QUInt2x4Storage QUInt4x2Storage "
        "QUInt8Storage ShortStorage Size Tensor UntypedStorage bfloat16 bool complex128 complex32 complex64 device "
        "float16 float32 float64 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu int16 int32 "
        "int64 int8 per_channel_affine per_tensor_affine qint32 qint8 quint2x4 quint4x2 quint8 uint16 uint32 uint64 "
        "uint8"
    ),
    "torch._tensor": "_rebuild_from_type_v2",
    "torch._utils": (
        "_rebuild_device_tensor_from_numpy _rebuild_meta_tensor_no_storage _rebuild_nested_tensor _rebuild_parameter "
        "_rebuild_parameter_with_state _rebuild_qtensor _rebuild_sparse_csr_tensor _rebuild_sparse_tensor "
        "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_wrapper_subclass"
    ),
    "torch.nn.parameter": "Buffer Parameter",
    "torch.serialization": "_get_layout",
    "torch.storage": "TypedStorage UntypedStorage _TypedStorage _UntypedStorage",
}

HARMLESS: frozenset[tuple[str, str]] = frozenset(
    (module, name) for module, names in _NAMES.items() for name in names.split()
)
"""Module and name."""

_RUNS = frozenset(
    """
    __main__ _aix_support _osx_support _posixsubprocess _pyrepl asyncio bdb builtins __builtin__ cProfile cgitb code
    codeop commands concurrent ctypes distutils doctest ensurepip execnet fickling functools gc http idlelib imaplib
    imp importlib inspect io lib2to3 linecache logging marshal modulefinder multiprocessing nt ntpath operator os pdb
    pickle pickletools pip pkgutil platform popen2 posix posixpath profile pty pydoc requests runpy setuptools shelve
    shutil signal site smtplib socket sqlite3 ssl subprocess sys sysconfig tarfile tempfile test threading timeit
    tokenize trace types urllib uuid venv webbrowser xmlrpc zipapp zipfile zipimport
    """.split()  # noqa: SIM905  # read as a list
)


def runs_code(module: str) -> bool:
    """Whether a module is one of those whose functions are known to run commands, code or other pickles.

    It only sharpens what is said: whatever is not harmless is refused, known or not.
    """
    top = module.partition(".")[0]
    return top in _RUNS or top.lstrip("_") in _RUNS  # `_pickle` is the same in C
