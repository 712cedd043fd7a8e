"""Keyset pages: a page starts behind a place in the order, so page 1,000 costs what page 1 costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

PAGE_DEFAULT = 50
PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the order a page ended: the sort key of its last row, and the row's id to break ties."""

    key: datetime | str
    id: UUID


@dataclass(frozen=True, slots=True)
class Order[Field]:
    """By which field to sort, and in which direction. Ties are broken by id, in the same direction."""

    by: Field
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page[View]:
    """Some rows of a list, and the place behind which the next page starts (None on the last page)."""

    data: Sequence[View]
    next: Place | None
