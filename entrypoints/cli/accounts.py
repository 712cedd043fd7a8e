"""How commands are told of an account: by its id, or by its email address."""

from uuid import UUID

import click

from application.users.administration import FindUser, ShowUser
from application.users.views import UserView
from domain.access import Actor
from domain.ids import UserId

ID_OR_EMAIL = "ID-or-EMAIL"

owner_option = click.option("--owner", required=True, metavar=ID_OR_EMAIL, help="Whose items.")


async def find_account(id_or_email: str, *, show_user: ShowUser, find_user: FindUser) -> UserView:
    """Return the account; raises UserNotFound, and Invalid for what is neither an id nor an address."""
    try:
        user_id = UserId(UUID(id_or_email))
    except ValueError:
        return await find_user(Actor.operator(), id_or_email)
    return await show_user(Actor.operator(), user_id)


async def find_owner(id_or_email: str, *, show_user: ShowUser, find_user: FindUser) -> Actor:
    """Return who acts in an account's stead; raises UserNotFound and Invalid likewise."""
    account = await find_account(id_or_email, show_user=show_user, find_user=find_user)
    return Actor.operator(on_behalf_of=account.id)
