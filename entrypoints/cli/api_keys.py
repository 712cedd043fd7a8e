"""`portico api-keys`: the keys that programs sign in with."""

from datetime import datetime
from uuid import UUID

import click
from dishka import FromDishka

from application.auth.api_keys import CreateApiKey, ListAllApiKeys, ListApiKeys, RevokeAnyApiKey
from application.auth.views import ApiKeyView
from application.paging import Page, Place
from application.users.administration import FindUser, ShowUser
from domain.access import Actor, Scope
from domain.auth.api_key import API_KEY_LIFETIME_MAX
from domain.ids import ApiKeyId
from entrypoints.cli.accounts import ID_OR_EMAIL, find_account
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, limit_option, pages, print_json, print_list, print_text
from entrypoints.cli.runner import injected

_COLUMNS = ("id", "owner_id", "prefix", "created_at", "expires_at", "last_used_at", "scopes", "name")


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("It must be a time such as 2030-01-31T12:00:00Z.", param, ctx)


@click.group("api-keys")
def api_keys() -> None:
    """API keys."""


@api_keys.command()
@click.option("--owner", required=True, metavar=ID_OR_EMAIL, help="Whose key; it never does more than its owner may.")
@click.option("--name", required=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; may be given several times.",
)
@click.option(
    "--expires-at",
    type=_Moment(),
    metavar="TIME",
    help=f"Its end, as 2030-01-31T12:00:00Z; at most {API_KEY_LIFETIME_MAX.days} days off, which is also the default.",
)
@json_option
@injected
async def create(
    create_api_key: FromDishka[CreateApiKey],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str,
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
    as_json: bool,
) -> None:
    """Make an API key. The key itself is printed on stdout, this once."""
    user = await find_account(owner, show_user=show_user, find_user=find_user)
    actor = Actor.operator(on_behalf_of=user.id)
    key = await create_api_key(actor, name=name, scopes=scopes, expires_at=expires_at)
    if as_json:
        print_json(key)
        return
    print_message(f"Made the API key {key.id} of {user.email}; it ends at {key.expires_at.isoformat()}.")
    print_message("The key, shown only now:")
    print_text(key.key)


@api_keys.command("list")
@click.option("--owner", metavar=ID_OR_EMAIL, help="Only this account's.")
@limit_option
@json_option
@injected
async def list_(
    list_api_keys: FromDishka[ListApiKeys],
    list_all_api_keys: FromDishka[ListAllApiKeys],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    owner: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List API keys that are not revoked, the oldest first."""
    account = None if owner is None else await find_account(owner, show_user=show_user, find_user=find_user)

    async def fetch(limit: int, after: Place | None) -> Page[ApiKeyView]:
        if account is None:
            return await list_all_api_keys(Actor.operator(), limit=limit, after=after)
        # Nobody has more of them than fit on a page.
        return Page((await list_api_keys(Actor.operator(on_behalf_of=account.id)))[:limit], next=None)

    await print_list(pages(fetch, limit=limit), columns=_COLUMNS, as_json=as_json)


@api_keys.command()
@click.argument("key_id", metavar="ID", type=click.UUID)
@injected
async def revoke(revoke_api_key: FromDishka[RevokeAnyApiKey], *, key_id: UUID) -> None:
    """Revoke an API key: at once where its server hears of it, and within 5 seconds everywhere."""
    await revoke_api_key(Actor.operator(), ApiKeyId(key_id))
    print_message(f"Revoked the API key {key_id}.")
