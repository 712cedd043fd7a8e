"""`portico database`: the schema."""

import click
from dishka import FromDishka

from application.schema import Schema
from domain.errors import Conflict
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, print_json, print_text
from entrypoints.cli.runner import injected_as_is, require_head


class SchemaDiffers(Conflict):
    """The database's schema differs from what it should be."""

    code = "schema_differs"


@click.group()
def database() -> None:
    """The database's schema."""


@database.command()
@injected_as_is
async def upgrade(schema: FromDishka[Schema]) -> None:
    """Bring the schema to the revision that this version needs."""
    await schema.upgrade()
    print_message(f"The schema is at {schema.head()}.")


@database.command()
@click.argument("revision", metavar="REV")
@injected_as_is
async def downgrade(schema: FromDishka[Schema], *, revision: str) -> None:
    """Take the schema back to REV, such as 0001, -1 or base; what later revisions added is lost."""
    await schema.downgrade(revision)
    print_message(f"The schema is at {await schema.current() or 'base'}.")


@database.command()
@json_option
@injected_as_is
async def current(schema: FromDishka[Schema], *, as_json: bool) -> None:
    """Show at which revision the schema is, and which one this version needs."""
    revision, head = await schema.current(), schema.head()
    if as_json:
        print_json({"current": revision, "head": head})
    else:
        print_text(f"{revision or 'base'}{_place(schema, revision)}")


@database.command()
@injected_as_is
async def check(schema: FromDishka[Schema]) -> None:
    """Find out whether the schema is the one that this version needs."""
    await require_head(schema)
    differences = await schema.differences()
    if differences:
        raise SchemaDiffers(f"The schema differs from what it should be; it lacks: {'; '.join(differences)}")
    print_message(f"The schema is at {schema.head()}, and as it should be.")


def _place(schema: Schema, revision: str | None) -> str:
    if revision == schema.head():
        return " (head)"
    is_behind = revision is None or schema.knows(revision)
    return f", {'behind' if is_behind else 'unknown to this version, which needs'} {schema.head()}"
