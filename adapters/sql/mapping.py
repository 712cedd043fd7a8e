"""Mapping by name: a table's columns are named after the entity's fields, so each way is one call."""

from collections.abc import Collection, Iterable
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from adapters.sql.plans import Row


def parameters(names: Iterable[str]) -> dict[str, sa.BindParameter[Any]]:
    """Return the values of these columns for a statement of which each is a parameter, named after its column."""
    return {name: sa.bindparam(name) for name in names}


class Mapping:
    """The columns of a table, as a dictionary for storing an entity and as a list for loading one.

    Columns that are no fields, but derived from some, are named and left out.
    """

    def __init__(self, table: sa.Table, *, derived: Collection[str] = ()) -> None:
        self.table = table
        self.columns = [column for column in self.table.columns if column.key not in derived]
        self.names = tuple(column.key for column in self.columns)
        self._values = attrgetter(*self.names)

    def insert(self) -> sa.Insert:
        """Return the statement that adds an entity's row."""
        return sa.insert(self.table).values(parameters(self.names))

    def values(self, entity: object) -> dict[str, Any]:
        """Return what to store: the value of each column, by its name."""
        return dict(zip(self.names, self._values(entity), strict=True))

    def fields(self, row: Row) -> dict[str, Any]:
        """Return what to build the entity from: the value of each field, by its name."""
        return dict(zip(self.names, row, strict=True))
