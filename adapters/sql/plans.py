"""Statements as drivers take them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler


@dataclass(frozen=True, slots=True, eq=False)
class Deferred:
    """A statement that is made when it has to be compiled, and not kept: it may take fifty times what its plan does."""

    make: Callable[[], sa.Executable]


type Statement = sa.Executable | Deferred
type Row = "tuple[Any, ...] | asyncpg.Record"
type Parameters = Mapping[str, Any]

MOST = 1_000
"""Plans that a pool keeps, of about 10 kB each: more than all statements that are in use."""


class Plan:
    """A statement's SQL, and what to do with each argument and each column."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        if isinstance(statement, Deferred):
            statement = statement.make()
        assert isinstance(statement, sa.Select | sa.UpdateBase | sa.TextClause)
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        assert not compiled.post_compile_params, "the SQL has to be the same whatever the parameters are"
        self.sql = compiled.string
        self._arguments = []
        for name in compiled.positiontup or ():
            bind = compiled.binds[name]
            encode = bind.type.dialect_impl(dialect).bind_processor(dialect)
            self._arguments.append((name, bind.required, bind.value, encode))
        columns = _columns_of(statement)
        self.returns_rows = columns is None or len(columns) > 0
        self._decoders = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns or ()]
        self._decodes = any(self._decoders)

    def arguments(self, parameters: Parameters) -> list[Any]:
        """Return the arguments in the order of the SQL. A parameter that is missing is a bug: KeyError."""
        values = []
        for name, is_required, default, encode in self._arguments:
            value = parameters[name] if is_required or name in parameters else default
            values.append(value if encode is None else encode(value))
        return values

    def decoded(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the rows with Python's values."""
        if not self._decodes:
            return rows
        return [
            tuple(value if decode is None else decode(value) for value, decode in zip(row, self._decoders, strict=True))
            for row in rows
        ]


def _columns_of(statement: sa.Executable) -> Sequence[sa.ColumnElement[Any]] | None:
    """Return the columns of its rows; None for SQL of which that is not known."""
    if isinstance(statement, sa.Select):
        return list(statement.selected_columns)
    return list(statement.exported_columns) if isinstance(statement, sa.UpdateBase) else None


class Plans:
    """The plans of statements for one dialect. Each statement is a constant, or deferred once, and compiled once.

    One that is made anew each time is compiled each time. It fills no memory: beyond MOST, the plan goes that was used
    the longest time ago.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._plans: OrderedDict[Statement, Plan] = OrderedDict()

    def of(self, statement: Statement) -> Plan:
        """Return the plan of a statement."""
        plan = self._plans.get(statement)
        if plan is not None:
            self._plans.move_to_end(statement)
            return plan
        plan = self._plans[statement] = Plan(statement, self._dialect)
        if len(self._plans) > MOST:
            self._plans.popitem(last=False)
        return plan
