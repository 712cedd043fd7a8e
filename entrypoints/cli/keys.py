"""`portico keys`: the keys that sign access tokens."""

from collections.abc import AsyncIterator, Sequence

import click
from dishka import FromDishka

from application.auth.signing_keys import (
    EMERGENCY_PUBLICATION,
    PUBLICATION,
    ListSigningKeys,
    RetireSigningKey,
    RotateSigningKeys,
    SigningKeyView,
)
from domain.access import Actor
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, print_json, print_list
from entrypoints.cli.runner import injected

_COLUMNS = ("kid", "status", "created_at", "activates_at", "retires_at")


@click.group()
def keys() -> None:
    """Keys that sign access tokens."""


@keys.command("list")
@json_option
@injected
async def list_(list_signing_keys: FromDishka[ListSigningKeys], *, as_json: bool) -> None:
    """List the keys, the oldest first; never their private halves."""
    found = await list_signing_keys(Actor.operator())

    async def page() -> AsyncIterator[Sequence[SigningKeyView]]:
        yield found

    await print_list(page(), columns=_COLUMNS, as_json=as_json)


@keys.command()
@click.option("--now", "at_once", is_flag=True, help="Sign with the next key within seconds: for when one leaked.")
@json_option
@injected
async def rotate(rotate_signing_keys: FromDishka[RotateSigningKeys], *, at_once: bool, as_json: bool) -> None:
    """Publish the next key, and retire the present ones when the last token they signed is over.

    The next key signs a quarter of an hour later, when all who verify tokens know it: no valid token is refused. With
    --now, others who verify tokens by the JWKS may refuse new ones until they have read it again.
    """
    delay = EMERGENCY_PUBLICATION if at_once else PUBLICATION
    key = await rotate_signing_keys(Actor.operator(), delay=delay)
    if as_json:
        print_json(key)
    else:
        print_message(f"Published {key.kid}, which signs from {key.activates_at:%Y-%m-%d %H:%M:%S} UTC on.")


# One id of 64 begins with a dash.
@keys.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("kid")
@json_option
@injected
async def retire(retire_signing_key: FromDishka[RetireSigningKey], *, kid: str, as_json: bool) -> None:
    """Refuse from now on whatever the key KID has signed: for one that leaked. Its users sign in by refreshing."""
    key = await retire_signing_key(Actor.operator(), kid)
    if as_json:
        print_json(key)
    else:
        print_message(f"Retired {key.kid}. Each process refuses its tokens within 5 seconds.")
