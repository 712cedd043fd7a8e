"""Reads for the query ports: storage to view in one mapping, without a transaction."""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from adapters.sql.errors import translated
from adapters.sql.read_pool import ReadPool, Row

SKEWED = "skewed"
"""An execution option of statements for which the best plan depends on the parameters.

PostgreSQL would soon settle on one plan for all; for these it makes a new one each time, for one more round trip.
"""


class Reads:
    """Runs statements outside any transaction: no BEGIN, no ROLLBACK, one round trip each.

    Statements are constants with bound parameters: each is compiled once, and then goes to the driver as it is.
    """

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool
        self._plans: dict[sa.Select[*tuple[Any, ...]], Plan] = {}

    @property
    def dialect(self) -> str:
        """`postgresql` or `sqlite`."""
        return self._pool.dialect.name

    async def all[*Columns, View](
        self, statement: sa.Select[*Columns], view: Callable[[*Columns], View], **parameters: object
    ) -> list[View]:
        """Return a view of each row, its columns in the statement's order. Raises Unavailable."""
        return list(starmap(view, await self.rows(statement, parameters)))

    async def rows(self, statement: sa.Select[*tuple[Any, ...]], parameters: Mapping[str, object]) -> Sequence[Row]:
        """Return the rows, each with its columns in the statement's order. Raises Unavailable."""
        plan = self._plans.get(statement)
        if plan is None:
            plan = self._plans[statement] = Plan(statement, self._pool.dialect)
        with translated():
            rows = await self._pool.fetch(plan.sql, plan.arguments(parameters), replan=plan.is_skewed)
        return list(map(plan.decoded, rows)) if plan.decodes else rows

    async def one[*Columns, View](
        self, statement: sa.Select[*Columns], view: Callable[[*Columns], View], **parameters: object
    ) -> View | None:
        """Return a view of the row, or None where there is none. Raises Unavailable."""
        views = await self.all(statement, view, **parameters)
        return views[0] if views else None


class Plan:
    """A statement as a driver takes it: its SQL, and what to do with each argument and each column."""

    def __init__(self, statement: sa.Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert not compiled.post_compile_params, "the SQL has to be the same whatever the parameters are"
        self.sql = compiled.string
        self.is_skewed: bool = statement.get_execution_options().get(SKEWED, False)
        self._arguments = []
        for name in compiled.positiontup or ():
            bind = compiled.binds[name]
            encode = bind.type.dialect_impl(dialect).bind_processor(dialect)
            self._arguments.append((name, bind.required, bind.value, encode))
        kinds = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
        self._decoders = [kind.result_processor(dialect, None) for kind in kinds]
        self.decodes = any(self._decoders)

    def arguments(self, parameters: Mapping[str, object]) -> list[Any]:
        """Return the arguments in the order of the SQL. A parameter that is missing is a bug: KeyError."""
        values = []
        for name, is_required, default, encode in self._arguments:
            value = parameters[name] if is_required or name in parameters else default
            values.append(value if encode is None else encode(value))
        return values

    def decoded(self, row: Row) -> Row:
        """Return the row with Python's values."""
        return tuple(
            value if decode is None else decode(value) for value, decode in zip(row, self._decoders, strict=True)
        )
