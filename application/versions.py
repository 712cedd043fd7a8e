"""Optimistic concurrency: which versions a caller is ready to change (RFC 9110 section 13.1)."""

from dataclasses import dataclass

from domain.errors import Stale


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must be true of the version of something before it is changed. By default nothing in particular."""

    any_of: frozenset[int] | None = None
    """The versions of which it must be one; None for whichever there is."""
    none_of: frozenset[int] | None = frozenset()
    """The versions of which it must be none; None for whichever there is."""

    def holds(self, version: int) -> bool:
        """Tell whether it is true of this version."""
        return (self.any_of is None or version in self.any_of) and (
            self.none_of is not None and version not in self.none_of
        )

    def check(self, version: int) -> None:
        """Raise Stale unless it is true of this version."""
        if not self.holds(version):
            raise Stale


UNCONDITIONAL = Precondition()
