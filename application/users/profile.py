"""What people do with their own account."""

from dataclasses import dataclass

from application.ports import AuditLog, Clock, UnitOfWork
from application.users.ports import UserQueries, UserRepository
from application.users.views import UserView, view_of
from application.versions import UNCONDITIONAL, Precondition
from domain.access import Actor, Permission
from domain.audit import AuditAction
from domain.users.user import parse_full_name


@dataclass(frozen=True, slots=True)
class ShowProfile:
    """Show the actor's own account."""

    users: UserQueries

    async def __call__(self, actor: Actor) -> UserView:
        """Return the account; raises PermissionDenied."""
        actor.require(Permission.PROFILE_READ)
        return await self.users.get(actor.user_id)


@dataclass(frozen=True, slots=True)
class RenameProfile:
    """Change the name on the actor's own account."""

    users: UserRepository
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(
        self, actor: Actor, *, full_name: str | None, precondition: Precondition = UNCONDITIONAL
    ) -> UserView:
        """Return the account as it is now; raises PermissionDenied, Invalid, Stale."""
        actor.require(Permission.PROFILE_WRITE)
        name = None if full_name is None else parse_full_name(full_name)
        user = await self.users.get(actor.user_id)
        precondition.check(user.version)
        user.rename(name, now=self.clock.now())
        await self.users.save(user)
        await self.audit.record(
            AuditAction.USER_RENAMED, actor_id=actor.user_id, subject_id=user.id, client=actor.client
        )
        await self.unit.commit()
        return view_of(user)
