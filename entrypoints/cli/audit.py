"""`portico audit`: the audit trail."""

from datetime import datetime
from uuid import UUID

import click
from dishka import FromDishka

from application.audit import AuditEventView, AuditFilter, AuditVerdict, ListAuditEvents, VerifyAuditTrail
from application.paging import Page, Place
from domain.access import Actor
from domain.audit import AuditAction
from domain.errors import Conflict
from domain.ids import UserId
from entrypoints.cli.messages import print_message
from entrypoints.cli.output import json_option, limit_option, pages, print_json, print_list, print_text
from entrypoints.cli.parameters import Moment
from entrypoints.cli.runner import injected

_COLUMNS = ("created_at", "action", "actor_id", "subject_id", "ip", "data")


class AuditTrailBroken(Conflict):
    """The audit trail was tampered with."""

    code = "audit_trail_broken"


class _Hash(click.ParamType[str]):
    name = "hash"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        digits = value.strip().lower()
        if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):  # noqa: PLR2004 - of SHA-256
            self.fail("a hash has 64 hexadecimal digits", param, ctx)
        return digits


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command("list")
@click.option("--actor-id", type=click.UUID, metavar="ID", help="Only what this account did.")
@click.option("--action", type=click.Choice([action.value for action in AuditAction]), metavar="ACTION")
@click.option("--since", type=Moment(), help="Only what was done then or later, such as 2026-03-01T12:00:00Z.")
@limit_option
@json_option
@injected
async def list_(
    list_audit_events: FromDishka[ListAuditEvents],
    *,
    actor_id: UUID | None,
    action: str | None,
    since: datetime | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List events, the newest first."""
    which = AuditFilter(
        actor_id=None if actor_id is None else UserId(actor_id),
        action=None if action is None else AuditAction(action),
        since=since,
    )

    async def fetch(limit: int, after: Place | None) -> Page[AuditEventView]:
        return await list_audit_events(Actor.operator(), which, limit=limit, after=after)

    await print_list(pages(fetch, limit=limit), columns=_COLUMNS, as_json=as_json)


@audit.command()
@click.option("--expect-head", "anchor", type=_Hash(), metavar="HASH", help="A head that was printed before.")
@json_option
@injected
async def verify(verify_audit_trail: FromDishka[VerifyAuditTrail], *, anchor: str | None, as_json: bool) -> None:
    """Find out whether an event was changed, removed or inserted, and where.

    The head, the hash of the last event, is printed on stdout. Keep it elsewhere: that the end of the trail was cut
    off shows only by --expect-head, which wants the event with that hash to be there still.
    """
    verdict = await verify_audit_trail(Actor.operator(), anchor=anchor)
    if as_json:
        print_json(verdict)
    refuse_broken(verdict)
    if not as_json:
        print_message(f"The trail of {verdict.events} events is whole. Its head:")
        print_text(verdict.head or "-")


def refuse_broken(verdict: AuditVerdict) -> None:
    """Raise AuditTrailBroken unless the trail is whole."""
    if verdict.broken is not None:
        raise AuditTrailBroken(
            f"The audit trail is broken at position {verdict.broken.position}: {verdict.broken.flaw.meaning}."
        )
    if verdict.lacks_anchor:
        raise AuditTrailBroken(
            f"The audit trail lacks the expected event: its end, behind position {verdict.events}, was cut off, "
            "or it was written anew."
        )
