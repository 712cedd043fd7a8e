"""One's sessions over HTTP."""

from collections.abc import Sequence
from uuid import UUID

from dishka.integrations.litestar import FromDishka
from litestar import delete, get
from litestar.params import FromPath
from msgspec import Struct

from application.auth.sessions import ListSessions, RevokeSession, RevokeSessions
from application.auth.views import SessionView
from domain.access import Actor
from domain.auth.errors import SessionNotFound
from domain.ids import SessionId
from entrypoints.http.controllers import InjectedController
from entrypoints.http.documentation import raises


class SessionList(Struct):
    """The live sessions of an account; there are at most 20."""

    data: Sequence[SessionView]


class SessionController(InjectedController):
    """`/auth/sessions`."""

    path = "/auth/sessions"
    tags = ("auth",)

    @get(operation_id="listSessions")
    async def list_sessions(self, actor: FromDishka[Actor], list_sessions: FromDishka[ListSessions]) -> SessionList:
        """List one's live sessions, the newest first."""
        return SessionList(await list_sessions(actor, actor.user_id))

    @delete("/{session_id:uuid}", operation_id="revokeSession", opt=raises(SessionNotFound))
    async def revoke_session(
        self, session_id: FromPath[UUID], actor: FromDishka[Actor], revoke_session: FromDishka[RevokeSession]
    ) -> None:
        """End one of one's sessions, its access tokens too."""
        await revoke_session(actor, SessionId(session_id))

    @delete(operation_id="revokeOtherSessions")
    async def revoke_other_sessions(
        self, actor: FromDishka[Actor], revoke_sessions: FromDishka[RevokeSessions]
    ) -> None:
        """End all of one's sessions but this one."""
        await revoke_sessions(actor, actor.user_id)
