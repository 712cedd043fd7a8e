"""`portico items`: what accounts own, seen and changed in their stead."""

from uuid import UUID

import click
from dishka import FromDishka

from application.items.ports import ItemSort
from application.items.use_cases import AddItem, ListItems, ShowItem
from application.items.views import ItemView
from application.paging import Order, Page, Place
from application.users.administration import FindUser, ShowUser
from domain.access import Actor
from domain.ids import ItemId
from entrypoints.cli.accounts import ID_OR_EMAIL, find_account
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, limit_option, pages, print_list, print_record
from entrypoints.cli.runner import injected

_COLUMNS = ("id", "created_at", "version", "title", "tags")

_owner_option = click.option("--owner", required=True, metavar=ID_OR_EMAIL, help="Whose items.")


@click.group()
def items() -> None:
    """Items."""


@items.command()
@_owner_option
@click.argument("title_argument", metavar="[TITLE]", required=False)
@click.option("--title")
@click.option("--description")
@click.option("--tag", "tags", multiple=True, help="May be given several times.")
@json_option
def create(
    *,
    owner: str,
    title_argument: str | None,
    title: str | None,
    description: str | None,
    tags: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add an item; its title is given as TITLE or with --title."""
    titles = [given for given in (title_argument, title) if given is not None]
    if len(titles) != 1:
        raise click.UsageError("Give the title, once: as TITLE or with --title.")
    _create(owner=owner, title=titles[0], description=description, tags=tags, as_json=as_json)


@injected
async def _create(
    add_item: FromDishka[AddItem],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str,
    title: str,
    description: str | None,
    tags: tuple[str, ...],
    as_json: bool,
) -> None:
    actor = await _stead_of(owner, show_user=show_user, find_user=find_user)
    item = await add_item(actor, title=title, description=description, tags=tags)
    print_message(f"Made the item {item.id}.")
    print_record(item, as_json=as_json)


@items.command("list")
@_owner_option
@limit_option
@json_option
@injected
async def list_(
    list_items: FromDishka[ListItems],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """List an account's items, the oldest first."""
    actor = await _stead_of(owner, show_user=show_user, find_user=find_user)

    async def fetch(limit: int, after: Place | None) -> Page[ItemView]:
        return await list_items(actor, order=Order(ItemSort.CREATED_AT), limit=limit, after=after)

    await print_list(pages(fetch, limit=limit), columns=_COLUMNS, as_json=as_json)


@items.command()
@_owner_option
@click.argument("item_id", metavar="ID", type=click.UUID)
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
    actor = await _stead_of(owner, show_user=show_user, find_user=find_user)
    print_record(await show_item(actor, ItemId(item_id)), as_json=as_json)


async def _stead_of(owner: str, *, show_user: ShowUser, find_user: FindUser) -> Actor:
    user = await find_account(owner, show_user=show_user, find_user=find_user)
    return Actor.operator(on_behalf_of=user.id)
