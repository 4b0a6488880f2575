"""A keeper in memory."""

from isthmus.domain.kept import Kept
from isthmus.domain.request import RequestId


class MemoryKeeper:
    """Fulfils `domain.ports.Keeper`."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []

    def keep(self, kept: Kept) -> bool:
        self.kept.append(kept)
        return True

    async def recall(self, request: RequestId, tenant: str) -> Kept | None:
        return next((one for one in self.kept if one.request == request and one.tenant == tenant), None)

    async def forget(self, request: RequestId, tenant: str) -> bool:
        found = await self.recall(request, tenant)
        if found is not None:
            self.kept.remove(found)
        return found is not None
