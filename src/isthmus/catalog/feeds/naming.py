"""Which of our models the name of an API means.

By its id and its aliases. What providers put around a name is taken off where nothing matches with it: a path before
it, the region and the maker before it (`eu.anthropic.`), a date or a version after it. What says that something else
is served (a quantisation, a size, a tuning) is never taken off: such names are aliases, or they mean none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from isthmus.catalog.records.model import ModelRecord

_DATE = r"[-@]20\d\d-?[01]\d-?[0-3]\d\Z"
_BEFORE = re.compile(r"\A(?:[a-z]+\.)+(?=[a-z])")
_AFTER = re.compile(rf"-v\d+:\d+\Z|-v1\Z|@default\Z|{_DATE}")


class Naming:
    """The names of a catalog's models."""

    def __init__(self, models: Mapping[str, ModelRecord]) -> None:
        names: dict[str, str | None] = {}
        for model in models.values():
            for name in (model.id, *model.aliases):
                for form in {name.lower(), name.lower().rpartition("/")[2]}:
                    names[form] = model.id if names.get(form, model.id) == model.id else None
        self._names = names

    def model_of(self, api_id: str) -> str | None:
        """The id of the model that is meant; None: none of ours, or several might be."""
        return next((found for form in forms(api_id) if (found := self._names.get(form)) is not None), None)


def forms(api_id: str) -> Iterator[str]:
    """A name as it stands, then with ever more of what is around it taken off."""
    name = api_id.lower()
    yield name
    name = name.rpartition("/")[2]
    yield name
    bare = _BEFORE.sub("", name, count=1)
    yield bare
    while (shorter := _AFTER.sub("", bare)) != bare:
        bare = shorter
        yield bare


def undated(api_id: str) -> str | None:
    """The name that a dated version of a model has besides: None where the name has no date."""
    short = re.sub(_DATE, "", api_id.lower())
    return short if short != api_id.lower() else None
