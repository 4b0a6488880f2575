"""What becomes of the fields only one dialect knows, when a request leaves by another.

They are refused, so that nothing a caller asked for is lost without a word. The exceptions are listed here, by the
dialect they belong to: fields that change nothing in the answer, or whose meaning the domain's value carries as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.domain.errors import Unsupported
from isthmus.domain.message import Extra, Json

HARMLESS: Mapping[str, frozenset[str]] = {
    "openai-chat": frozenset(
        {
            "id",  # of an earlier answer's message, as clients return it
            "annotations",  # citations of an earlier answer, as clients return it
            "max_completion_tokens",  # which of two names was used; the number is in `max_output_tokens`
            "prompt_cache_breakpoint",  # which of two forms was used; the mark is in `cache`
            "prompt_cache_key",  # where a provider keeps its cache; saves money, changes no answer
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",  # whom the provider should blame: an id at that provider
            "store",  # whether the provider keeps the answer for its own screens
            "stream_options",  # `include_obfuscation`: padding against eavesdroppers, which isthmus does not forward
        }
    ),
}


NEUTRAL: Mapping[str, Mapping[str, Json]] = {
    "openai-chat": {
        "ignore_eos": False,
        "length_penalty": 1,
        "min_p": 0,
        "repetition_penalty": 1,
        "skip_special_tokens": True,
        "verbosity": "medium",
    },
}
"""Values that say what every dialect means when nothing is said."""


def own_fields(extra: Extra | None, *, dialect: str, where: str = "") -> Mapping[str, Json]:
    """The fields that `dialect` wrote itself.

    Args:
        extra: as found in the request.
        dialect: the one that is encoding.
        where: path of the value that carries `extra`, for the message.

    Raises:
        Unsupported: the fields are another dialect's, say something (null, empty lists and objects, and `NEUTRAL`
            values do not), and are not harmless to leave out.
    """
    if extra is None or not extra.fields:
        return {}
    if extra.dialect == dialect:
        return extra.fields
    for name, value in extra.fields.items():
        if value is None or value in ([], {}):
            continue
        neutral = NEUTRAL.get(extra.dialect, {})
        if name in neutral and value == neutral[name]:
            continue
        if name not in HARMLESS.get(extra.dialect, frozenset()):
            param = f"{where}.{name}" if where else name
            raise Unsupported(
                f"{param} is a field of {extra.dialect} that cannot be said in {dialect}, the dialect of this offer.",
                hint="Leave it out, or use an offer of the same dialect.",
                param=param,
            )
    return {}
