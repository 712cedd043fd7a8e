"""`portico users`: accounts."""

import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any, BinaryIO

import click
import msgspec
from dishka import FromDishka

from application.auth.accounts import EditUser, EraseUser, ReplacePassword
from application.auth.export import ExportAccount
from application.auth.registration import CreateUser
from application.auth.sessions import ListSessions, RevokeSessions
from application.paging import Order, Page, Place
from application.users.administration import FindUser, ListUsers, ShowUser
from application.users.ports import UserFilter, UserSort
from application.users.views import UserView
from domain.access import Actor, Role
from entrypoints.cli.accounts import ID_OR_EMAIL, find_account
from entrypoints.cli.files import STANDARD, failing_as, stdin, writable_file, written
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, limit_option, pages, print_json, print_list, print_record, print_text
from entrypoints.cli.parameters import QUERY_MAX, SearchText
from entrypoints.cli.runner import injected
from entrypoints.export import export_as_json

PASSWORD_BYTES = 24
"""Of randomness in a generated password: 32 characters."""

_ROLES = [role.value for role in Role]
_SESSION_COLUMNS = ("id", "created_at", "last_used_at", "ip", "user_agent")
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
def create(*, email: str, full_name: str | None, role: str, password_stdin: bool, as_json: bool) -> None:
    """Make an account, also while sign-up is closed.

    Unless --password-stdin gives one, a password is generated and printed on stdout, this once.
    """
    given = _first_line_of_stdin() if password_stdin else None
    _create(email=email, full_name=full_name, role=Role(role), given=given, as_json=as_json)


@injected
async def _create(
    create_user: FromDishka[CreateUser],
    *,
    email: str,
    full_name: str | None,
    role: Role,
    given: str | None,
    as_json: bool,
) -> None:
    password = secrets.token_urlsafe(PASSWORD_BYTES) if given is None else given
    user = await create_user(Actor.operator(), email=email, password=password, full_name=full_name, role=role)
    if as_json:
        shown = msgspec.to_builtins(user)
        print_json(shown | {"password": password} if given is None else shown)
        return
    print_message(f"Made the account of {user.email} ({user.role}), {user.id}.")
    if given is None:
        print_message("Its password, shown only now:")
        print_text(password)


@users.command("list")
@click.option("--query", type=SearchText(QUERY_MAX), help="Only those with this in their address or name.")
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


_user_argument = click.argument("user", metavar=ID_OR_EMAIL)


@users.command()
@_user_argument
@json_option
def promote(*, user: str, as_json: bool) -> None:
    """Make an account an administrator's, for sessions that are open too."""
    _edit(user=user, as_json=as_json, change={"role": Role.ADMIN}, says="an administrator")


@users.command()
@_user_argument
@json_option
def demote(*, user: str, as_json: bool) -> None:
    """Make an account a member's, for sessions that are open too; not the last administrator's."""
    _edit(user=user, as_json=as_json, change={"role": Role.MEMBER}, says="a member")


@users.command()
@_user_argument
@json_option
def activate(*, user: str, as_json: bool) -> None:
    """Let an account sign in again."""
    _edit(user=user, as_json=as_json, change={"is_active": True}, says="active")


@users.command()
@_user_argument
@json_option
def deactivate(*, user: str, as_json: bool) -> None:
    """Keep an account from signing in, and end its sessions; not the last administrator's."""
    _edit(user=user, as_json=as_json, change={"is_active": False}, says="not active")


@injected
async def _edit(
    edit_user: FromDishka[EditUser],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    user: str,
    as_json: bool,
    change: dict[str, Any],
    says: str,
) -> None:
    account = await find_account(user, show_user=show_user, find_user=find_user)
    account = await edit_user(Actor.operator(), account.id, **change)
    print_message(f"{account.email} is {says} now.")
    if as_json:
        print_json(account)


@users.command("reset-password")
@_user_argument
@json_option
@injected
async def reset_password(
    replace_password: FromDishka[ReplacePassword],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    user: str,
    as_json: bool,
) -> None:
    """Give an account a new password, and end its sessions.

    The password is generated, and printed on stdout this once; a second factor stays on. The owner is told by mail.
    """
    account = await find_account(user, show_user=show_user, find_user=find_user)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    await replace_password(Actor.operator(), account.id, password=password)
    if as_json:
        print_json({"id": account.id, "email": account.email, "password": password})
        return
    print_message(f"Ended the sessions of {account.email}. The new password, shown only now:")
    print_text(password)


@users.command()
@_user_argument
@json_option
@injected
async def sessions(
    list_sessions: FromDishka[ListSessions],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    user: str,
    as_json: bool,
) -> None:
    """List an account's live sessions, the newest first."""
    account = await find_account(user, show_user=show_user, find_user=find_user)
    await print_list(
        _one_page(await list_sessions(Actor.operator(), account.id)), columns=_SESSION_COLUMNS, as_json=as_json
    )


async def _one_page[View](views: Sequence[View]) -> AsyncIterator[Sequence[View]]:
    yield views


@users.command("revoke-sessions")
@_user_argument
@injected
async def revoke_sessions(
    revoke_sessions: FromDishka[RevokeSessions],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    user: str,
) -> None:
    """End all sessions of an account."""
    account = await find_account(user, show_user=show_user, find_user=find_user)
    ended = await revoke_sessions(Actor.operator(), account.id)
    print_message(f"Ended {ended} session{'' if ended == 1 else 's'} of {account.email}.")


@users.command()
@_user_argument
@click.option("--output", type=writable_file, default=STANDARD, metavar="FILE", help="By default stdout.")
def export(*, user: str, output: str) -> None:
    """Write all that is stored about an account, as one JSON object."""
    # Outside the loop, where a signal ends the wait for the other end of a pipe.
    with written(output) as file:
        _export(user=user, file=file)


@injected
async def _export(
    export_account: FromDishka[ExportAccount],
    show_user: FromDishka[ShowUser],
    find_user: FromDishka[FindUser],
    *,
    user: str,
    file: BinaryIO,
) -> None:
    account = await find_account(user, show_user=show_user, find_user=find_user)
    async for part in export_as_json(await export_account(Actor.operator(), account.id)):
        file.write(part)
    file.write(b"\n")


@users.command()
@_user_argument
@click.option("--yes", is_flag=True, help="Do not ask; nor is asked where nobody is at the terminal.")
def delete(*, user: str, yes: bool) -> None:
    """Erase an account with its items, sessions and keys, for good; not the last administrator's."""
    if not yes and sys.stdin is not None and sys.stdin.isatty():
        click.confirm(f"Erase {user} and all that is theirs, for good?", abort=True, err=True)
    _delete(user=user)


@injected
async def _delete(
    erase_user: FromDishka[EraseUser], show_user: FromDishka[ShowUser], find_user: FromDishka[FindUser], *, user: str
) -> None:
    account = await find_account(user, show_user=show_user, find_user=find_user)
    await erase_user(Actor.operator(), account.id)
    print_message(f"Erased {account.id}.")


def _first_line_of_stdin() -> str:
    with failing_as("read", STANDARD):
        line = stdin().buffer.readline()
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise click.UsageError("The password on stdin is not UTF-8.") from error
