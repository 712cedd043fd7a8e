"""The audit trail over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from dishka.integrations.litestar import FromDishka
from litestar import Request, Response, get
from litestar.params import QueryParameter

from application.audit import AuditEventView, AuditFilter, ListAuditEvents
from application.paging import PAGE_DEFAULT
from domain.access import Actor
from domain.audit import AuditAction
from domain.ids import UserId
from entrypoints.http.controllers import InjectedController
from entrypoints.http.moments import Moment, moment_of
from entrypoints.http.paging import Cursor, Cursors, Limit, PageBody, answer_page, context_of


class AuditController(InjectedController):
    """`/audit-events`."""

    path = "/audit-events"
    tags = ("audit",)

    @get(operation_id="listAuditEvents")
    async def list_audit_events(
        self,
        request: Request[Any, Any, Any],
        actor: FromDishka[Actor],
        list_audit_events: FromDishka[ListAuditEvents],
        cursors: FromDishka[Cursors],
        limit: Limit = PAGE_DEFAULT,
        cursor: Cursor = None,
        actor_id: Annotated[UUID | None, QueryParameter(description="Only what this account did.")] = None,
        action: Annotated[AuditAction | None, QueryParameter()] = None,
        since: Moment = None,
    ) -> Response[PageBody[AuditEventView]]:
        """List what is recorded about security, the newest first; for administrators."""
        which = AuditFilter(
            actor_id=None if actor_id is None else UserId(actor_id),
            action=action,
            since=moment_of(since, parameter="since"),
        )
        context = context_of(request, which)
        after = None if cursor is None else cursors.read(cursor, context=context)
        page = await list_audit_events(actor, which, limit=limit, after=after)
        return answer_page(request, page, cursors, context=context)
