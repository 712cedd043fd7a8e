"""`portico items`: what makes, changes and deletes an item."""

import sys
from collections.abc import Sequence
from uuid import UUID

import click
from dishka import FromDishka

from application.items.use_cases import AddItem, DeleteItem, EditItem
from application.unset import UNSET, Unset
from application.users.administration import FindUser, ShowUser
from application.versions import UNCONDITIONAL, Precondition
from domain.ids import ItemId
from entrypoints.cli.accounts import find_owner, owner_option
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, print_record
from entrypoints.cli.runner import injected

item_argument = click.argument("item_id", metavar="ID", type=click.UUID)

_version_option = click.option(
    "--version", type=click.IntRange(min=1), metavar="N", help="Only if this is its version still."
)


@click.command()
@owner_option
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
    tags: Sequence[str],
    as_json: bool,
) -> None:
    actor = await find_owner(owner, show_user=show_user, find_user=find_user)
    item = await add_item(actor, title=title, description=description, tags=tags)
    print_message(f"Made the item {item.id}.")
    print_record(item, as_json=as_json)


@click.command()
@owner_option
@item_argument
@click.option("--title")
@click.option("--description")
@click.option("--clear-description", is_flag=True, help="Leave it without one.")
@click.option("--tag", "tags", multiple=True, help="In place of all that it has; may be given several times.")
@click.option("--clear-tags", is_flag=True, help="Leave it without any.")
@_version_option
@json_option
def edit(
    *,
    owner: str,
    item_id: UUID,
    title: str | None,
    description: str | None,
    clear_description: bool,
    tags: tuple[str, ...],
    clear_tags: bool,
    version: int | None,
    as_json: bool,
) -> None:
    """Change an item; what is not given stays as it is."""
    if clear_description and description is not None:
        raise click.UsageError("Give --description or --clear-description, not both.")
    if clear_tags and tags:
        raise click.UsageError("Give --tag or --clear-tags, not both.")
    if title is None and description is None and not (clear_description or tags or clear_tags):
        raise click.UsageError("Say what to change: the title, the description or the tags.")
    _edit(
        owner=owner,
        item_id=item_id,
        title=UNSET if title is None else title,
        description=UNSET if description is None and not clear_description else description,
        tags=tags if tags or clear_tags else UNSET,
        precondition=_expecting(version),
        as_json=as_json,
    )


@injected
async def _edit(
    edit_item: FromDishka[EditItem],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str,
    item_id: UUID,
    title: str | Unset,
    description: str | Unset | None,
    tags: Sequence[str] | Unset,
    precondition: Precondition,
    as_json: bool,
) -> None:
    actor = await find_owner(owner, show_user=show_user, find_user=find_user)
    item = await edit_item(
        actor, ItemId(item_id), title=title, description=description, tags=tags, precondition=precondition
    )
    print_message(f"Changed the item {item.id}.")
    print_record(item, as_json=as_json)


@click.command()
@owner_option
@item_argument
@_version_option
@click.option("--yes", is_flag=True, help="Do not ask; nor is asked where nobody is at the terminal.")
def delete(*, owner: str, item_id: UUID, version: int | None, yes: bool) -> None:
    """Delete an item, for good."""
    if not yes and sys.stdin is not None and sys.stdin.isatty():
        click.confirm(f"Delete the item {item_id} of {owner}, for good?", abort=True, err=True)
    _delete(owner=owner, item_id=item_id, precondition=_expecting(version))


@injected
async def _delete(
    delete_item: FromDishka[DeleteItem],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str,
    item_id: UUID,
    precondition: Precondition,
) -> None:
    actor = await find_owner(owner, show_user=show_user, find_user=find_user)
    await delete_item(actor, ItemId(item_id), precondition=precondition)
    print_message(f"Deleted the item {item_id}.")


def _expecting(version: int | None) -> Precondition:
    return UNCONDITIONAL if version is None else Precondition(any_of=frozenset({version}))
