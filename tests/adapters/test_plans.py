"""How many statements stay compiled."""

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from adapters.sql.plans import MOST, Plans


def test_a_statement_is_compiled_once() -> None:
    plans = Plans(sqlite.dialect())
    statement = sa.select(sa.bindparam("number", type_=sa.Integer()))

    assert plans.of(statement) is plans.of(statement)


def test_of_too_many_statements_the_plan_goes_that_was_used_the_longest_time_ago() -> None:
    plans = Plans(sqlite.dialect())
    first, second, *others = (sa.text("SELECT 1") for _ in range(MOST))
    kept, gone = plans.of(first), plans.of(second)
    for statement in others:
        plans.of(statement)
    plans.of(first)

    for _ in range(MOST - 2):
        plans.of(sa.text("SELECT 2"))

    assert plans.of(first) is kept
    assert plans.of(second) is not gone
