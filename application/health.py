"""Whether Portico can serve."""

from dataclasses import dataclass
from typing import Protocol

from domain.errors import Unavailable


class StorageHealth(Protocol):
    """How storage is."""

    async def is_current(self) -> bool:
        """Tell whether the schema is the one that this version needs. Raises Unavailable if storage does not answer."""


@dataclass(frozen=True, slots=True)
class CheckReadiness:
    """Find out whether requests can be served now."""

    storage: StorageHealth

    async def __call__(self) -> None:
        """Return if they can; raises Unavailable."""
        if not await self.storage.is_current():
            raise Unavailable("The database's schema is not this version's. Run: portico database check")
