"""Optimistic concurrency: what a caller who has seen certain versions may change (RFC 9110 section 13.1.1)."""

from domain.errors import Stale


def check_version(version: int, expected: frozenset[int] | None) -> None:
    """Raise Stale unless the version is among the expected; None expects nothing in particular."""
    if expected is not None and version not in expected:
        raise Stale
