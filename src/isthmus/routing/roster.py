"""The offers and workloads in force, as one immutable value that a reload replaces whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isthmus.domain.errors import UnknownModel
from isthmus.domain.licensing import RequestUse
from isthmus.domain.offer import Offer, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """What may serve. Every offer can also be named directly, as a workload of one."""

    offers: Mapping[str, Offer]
    workloads: Mapping[str, Workload]
    default_workload: str
    uses: frozenset[RequestUse] = frozenset({"internal"})
    """What offers that are asked for by their own name are used for."""
    version: str
    """Hash of all of it: the `catalog_version` of decisions and entries."""

    def workload_of(self, *, model: str, declared: str | None, fallback: str | None) -> Workload:
        """The workload a request belongs to.

        Args:
            model: the model name of the request: a workload, an offer, or `auto`.
            declared: the workload named by header or metadata; wins over the model name.
            fallback: the workload of the key, for requests whose model is `auto` or empty.

        Raises:
            UnknownModel: none of them is known.
        """
        if declared is not None:
            found = self.workloads.get(declared)
            if found is None:
                raise UnknownModel(f"There is no workload {declared!r}.", hint=self._known(), param="workload")
            return found
        found = self.workloads.get(model)
        if found is not None:
            return found
        offer = self.offers.get(model)
        if offer is not None:
            return Workload(name=offer.name, offers=(offer.name,), uses=self.uses)
        if model in {"", "auto"}:
            return self.workloads.get(fallback or "") or self.workloads[self.default_workload]
        raise UnknownModel(
            f"{model[:100]!r} is neither a workload nor an offer here.", hint=self._known(), param="model"
        )

    def _known(self) -> str:
        names = sorted({*self.workloads, *self.offers})
        shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        return f"Known: {shown}. GET /v1/models lists them."
