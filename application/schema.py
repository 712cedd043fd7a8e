"""The database's schema, and taking it from one version of Portico to another."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from domain.errors import Conflict


class UnknownRevision(Conflict):
    """This revision is not known."""

    code: ClassVar[str] = "unknown_revision"
    detail: ClassVar[str] = "This version of Portico does not know the revision; a newer one may have made it."


class Schema(Protocol):
    """The schema of the database, which is at some revision, and should be at the newest that this version knows."""

    def head(self) -> str:
        """Return the revision that this version of Portico needs."""

    def knows(self, revision: str) -> bool:
        """Tell whether this version of Portico can take it from there to the head."""

    async def current(self) -> str | None:
        """Return the revision that the database is at, or None while it is empty. Raises Unavailable."""

    async def upgrade(self) -> None:
        """Bring it to the head; of several processes at once one does, and the others wait.

        Raises UnknownRevision where the database is ahead of this version, and Unavailable.
        """

    async def downgrade(self, revision: str) -> None:
        """Take it back to the revision; `base` is the empty database. Raises UnknownRevision, Unavailable."""

    async def differences(self) -> Sequence[str]:
        """Return what the tables lack to be what this version needs, one line each. Raises Unavailable."""
