"""`portico items`: what accounts own, seen and changed in their stead."""

from datetime import datetime
from uuid import UUID

import click
from dishka import FromDishka

from application.items.ports import ItemFilter, ItemSort
from application.items.use_cases import ListItemsOfAnybody, ShowItem
from application.items.views import ItemView
from application.paging import Order, Page, Place
from application.users.administration import FindUser, ShowUser
from domain.access import Actor
from domain.ids import ItemId
from domain.items.item import TAG_MAX
from entrypoints.cli.accounts import ID_OR_EMAIL, find_account, find_owner, owner_option
from entrypoints.cli.item_changes import create, delete, edit, item_argument
from entrypoints.cli.item_export import export
from entrypoints.cli.item_import import import_
from entrypoints.cli.output import json_option, limit_option, pages, print_list, print_record
from entrypoints.cli.parameters import QUERY_MAX, Moment, SearchText
from entrypoints.cli.runner import injected

_COLUMNS = ("id", "created_at", "version", "title", "tags")
_ANYBODYS_COLUMNS = ("id", "owner_id", *_COLUMNS[1:])
_SORTS = [f"{sign}{by}" for by in ItemSort for sign in ("", "-")]


@click.group()
def items() -> None:
    """Items."""


for command in (create, edit, delete, import_, export):
    items.add_command(command)


@items.command("list")
@click.option("--owner", metavar=ID_OR_EMAIL, help="Whose items; by default those of all accounts.")
@click.option("--query", type=SearchText(QUERY_MAX), help="Only those with this in their title or description.")
@click.option("--tag", type=SearchText(TAG_MAX), help="Only those with exactly this tag.")
@click.option("--after", type=Moment(), help="Only those made later, such as 2026-03-01T12:00:00Z.")
@click.option("--before", type=Moment(), help="Only those made earlier.")
@click.option("--sort", type=click.Choice(_SORTS), default=ItemSort.CREATED_AT.value, help="`-` reverses.")
@limit_option
@json_option
@injected
async def list_(
    list_items_of_anybody: FromDishka[ListItemsOfAnybody],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str | None,
    query: str | None,
    tag: str | None,
    after: datetime | None,
    before: datetime | None,
    sort: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """List items, by default the oldest first."""
    account = None if owner is None else await find_account(owner, show_user=show_user, find_user=find_user)
    order = Order(ItemSort(sort.removeprefix("-")), descending=sort.startswith("-"))
    which = ItemFilter(q=query, tag=tag, created_after=after, created_before=before)

    async def fetch(limit: int, after: Place | None) -> Page[ItemView]:
        owner_id = None if account is None else account.id
        return await list_items_of_anybody(Actor.operator(), owner_id, which, order=order, limit=limit, after=after)

    columns = _ANYBODYS_COLUMNS if account is None else _COLUMNS
    await print_list(pages(fetch, limit=limit), columns=columns, as_json=as_json)


@items.command()
@owner_option
@item_argument
@json_option
@injected
async def show(
    show_item: FromDishka[ShowItem],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str,
    item_id: UUID,
    as_json: bool,
) -> None:
    """Show an item."""
    actor = await find_owner(owner, show_user=show_user, find_user=find_user)
    print_record(await show_item(actor, ItemId(item_id)), as_json=as_json)
