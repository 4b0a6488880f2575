"""The three profiles: which offers the agent may think with, for routine work and for complex work.

Same agent, same tools; a profile is a choice of workloads, and the perimeter decides within them as for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from isthmus.domain.errors import ConfigError
from isthmus.domain.offer import Goal, Offer, Workload

Profile = Literal["privacy-first", "performance-first", "cost-optimised"]
"""privacy-first      own offers alone
performance-first  the best of all offers that are cleared
cost-optimised     routine work on own or cheap offers, complex work on the best
"""

Work = Literal["routine", "complex"]
"""routine: triage of mail, simple scheduling, reminders; complex: all else."""

AGENT_MODEL = "isthmus/agent"
"""The name by which clients ask the agent as if it were a model; keys have it among their workloads."""

ROUTINE = "agent/routine"
COMPLEX = "agent/complex"


class Workloads(NamedTuple):
    """The workloads of a profile."""

    routine: Workload
    complex: Workload

    def of(self, work: Work) -> Workload:
        return self.routine if work == "routine" else self.complex


def workloads_of(profile: Profile, offers: Iterable[Offer]) -> Workloads:
    """The workloads of a profile.

    Args:
        profile: that is chosen.
        offers: all there are, in the operator's order.

    Raises:
        ConfigError: the profile needs an own offer, and there is none.
    """
    known = [offer for offer in offers if offer.capabilities.completions != "no"]
    own = [offer for offer in known if offer.side == "own"]
    match profile:
        case "privacy-first":
            if not own:
                raise ConfigError(
                    "The profile privacy-first thinks with own models alone, and no offer is own.",
                    hint='Add one, such as [offers.home] provider = "embedded", or choose another profile.',
                )
            return Workloads(_workload(ROUTINE, own, "order"), _workload(COMPLEX, own, "order"))
        case "performance-first":
            return Workloads(_workload(ROUTINE, known, "best"), _workload(COMPLEX, known, "best"))
        case "cost-optimised":
            return Workloads(_workload(ROUTINE, known, "cheapest"), _workload(COMPLEX, known, "best"))


def _workload(name: str, offers: Iterable[Offer], goal: Goal) -> Workload:
    return Workload(name=name, offers=tuple(offer.name for offer in offers), goal=goal)
