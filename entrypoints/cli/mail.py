"""`portico mail`: the outbox."""

from collections.abc import Sequence
from uuid import UUID

import click
from dishka import FromDishka

from application.mail import ListLetters, RetryLetter, ShowLetter
from application.outbox import LetterSort, LetterStatus, LetterView
from application.paging import Order, Page, Place
from domain.access import Actor
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, limit_option, pages, print_list, print_record
from entrypoints.cli.runner import injected

_COLUMNS = ("id", "status", "attempts", "created_at", "template", "recipient", "last_error")
_STATUSES = [status.value for status in LetterStatus]


@click.group()
def mail() -> None:
    """The outbox: letters on their way, sent in the last seven days, and dead, which is when Portico has given up."""


@mail.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only these.")
@limit_option
@json_option
@injected
async def list_(list_letters: FromDishka[ListLetters], *, status: str | None, limit: int | None, as_json: bool) -> None:
    """List letters, the oldest first."""

    async def fetch(limit: int, after: Place | None) -> Page[LetterView]:
        return await list_letters(
            Actor.operator(),
            status=None if status is None else LetterStatus(status),
            order=Order(LetterSort.CREATED_AT),
            limit=limit,
            after=after,
        )

    await print_list(pages(fetch, limit=limit), columns=_COLUMNS, as_json=as_json)


@mail.command()
@click.argument("letter_id", metavar="ID", type=click.UUID)
@json_option
@injected
async def show(show_letter: FromDishka[ShowLetter], *, letter_id: UUID, as_json: bool) -> None:
    """Show a letter, but not what it says."""
    print_record(await show_letter(Actor.operator(), letter_id), as_json=as_json)


@mail.command()
@click.argument("letter_ids", metavar="[ID]...", type=click.UUID, nargs=-1)
@click.option("--dead", "all_dead", is_flag=True, help="All that are dead.")
def retry(*, letter_ids: tuple[UUID, ...], all_dead: bool) -> None:
    """Try letters again, now, as if they had not been tried before."""
    if bool(letter_ids) == all_dead:
        raise click.UsageError("Give the letters' ids, or --dead.")
    _retry(letter_ids=letter_ids)


@injected
async def _retry(
    retry_letter: FromDishka[RetryLetter], list_letters: FromDishka[ListLetters], *, letter_ids: Sequence[UUID]
) -> None:
    actor = Actor.operator()

    async def fetch(limit: int, after: Place | None) -> Page[LetterView]:
        order = Order(LetterSort.CREATED_AT)
        return await list_letters(actor, status=LetterStatus.DEAD, order=order, limit=limit, after=after)

    if not letter_ids:
        letter_ids = [letter.id async for page in pages(fetch, limit=None) for letter in page]
    for letter_id in letter_ids:
        letter = await retry_letter(actor, letter_id)
        print_message(f"The {letter.template} letter {letter.id} to {letter.recipient} will be tried again.")
    if not letter_ids:
        print_message("No letter is dead.")
