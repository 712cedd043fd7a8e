"""`portico users`: accounts."""

import secrets
import sys

import click
import msgspec
from dishka import FromDishka

from application.auth.registration import CreateUser
from application.paging import Order, Page, Place
from application.users.administration import FindUser, ListUsers, ShowUser
from application.users.ports import UserFilter, UserSort
from application.users.views import UserView
from domain.access import Actor, Role
from entrypoints.cli.accounts import ID_OR_EMAIL, find_account
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, limit_option, pages, print_json, print_list, print_record
from entrypoints.cli.runner import injected

PASSWORD_BYTES = 24
"""Of randomness in a generated password: 32 characters."""

_ROLES = [role.value for role in Role]
_COLUMNS = ("id", "role", "is_active", "created_at", "email", "full_name")


@click.group()
def users() -> None:
    """Accounts."""


@users.command()
@click.argument("email")
@click.option("--full-name", metavar="NAME")
@click.option("--role", type=click.Choice(_ROLES), default=Role.MEMBER.value, show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@json_option
@injected
async def create(
    create_user: FromDishka[CreateUser],
    *,
    email: str,
    full_name: str | None,
    role: str,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Make an account, also while sign-up is closed.

    Unless --password-stdin gives one, a password is generated and printed on stdout, this once.
    """
    password = _first_line_of_stdin() if password_stdin else secrets.token_urlsafe(PASSWORD_BYTES)
    user = await create_user(Actor.operator(), email=email, password=password, full_name=full_name, role=Role(role))
    if as_json:
        shown = msgspec.to_builtins(user)
        print_json(shown if password_stdin else shown | {"password": password})
        return
    print_message(f"Made the account of {user.email} ({user.role}), {user.id}.")
    if not password_stdin:
        print_message("Its password, shown only now:")
        click.echo(password)


@users.command("list")
@click.option("--query", metavar="TEXT", help="Only those with this in their address or name.")
@click.option("--role", type=click.Choice(_ROLES), help="Only those with this role.")
@click.option("--active/--inactive", "is_active", default=None, help="Only those who may sign in, or may not.")
@limit_option
@json_option
@injected
async def list_(
    list_users: FromDishka[ListUsers],
    *,
    query: str | None,
    role: str | None,
    is_active: bool | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List accounts, the oldest first."""
    which = UserFilter(q=query, role=None if role is None else Role(role), is_active=is_active)

    async def fetch(limit: int, after: Place | None) -> Page[UserView]:
        return await list_users(Actor.operator(), which, order=Order(UserSort.CREATED_AT), limit=limit, after=after)

    await print_list(pages(fetch, limit=limit), columns=_COLUMNS, as_json=as_json)


@users.command()
@click.argument("user", metavar=ID_OR_EMAIL)
@json_option
@injected
async def show(show_user: FromDishka[ShowUser], find_user: FromDishka[FindUser], *, user: str, as_json: bool) -> None:
    """Show an account."""
    print_record(await find_account(user, show_user=show_user, find_user=find_user), as_json=as_json)


def _first_line_of_stdin() -> str:
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise click.UsageError("The password on stdin is not UTF-8.") from error
