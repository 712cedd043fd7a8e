"""Changing the keys that sign access tokens, without refusing a valid token.

A key is published at once, signs when all who verify have had time to see it, and goes when the last token that the
one before it signed has expired:

======================  ==================================================================================
moment                  what happens
======================  ==================================================================================
rotation                the next key is in the JWKS; the present one signs
+ the delay             the next key signs
+ an access token's     no token that the old key signed is valid any longer; the margin is for clocks
  lifetime, + a margin  that differ; then the old key leaves the JWKS, and what it signed is refused
======================  ==================================================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from application.auth.signing_ports import SigningKey, SigningKeyMaker, SigningKeyRing, SigningKeyStore
from application.ports import AuditLog, Clock, UnitOfWork
from domain.access import Actor, Permission
from domain.audit import AuditAction
from domain.auth.session import SessionLifetimes
from domain.errors import Conflict, NotFound

PUBLICATION = timedelta(minutes=15)
"""Between publishing a key and signing with it: caches of the JWKS live for 5 minutes."""

EMERGENCY_PUBLICATION = timedelta(seconds=2)
"""The same where it can't wait. Each process looks for an unknown key as often as every second."""

MARGIN = timedelta(minutes=5)
"""Between the end of the last token that a key signed and the key's own."""


class SigningKeyNotFound(NotFound):
    """There is no such signing key."""

    detail = "There is no signing key with this id."


class OnlySigningKey(Conflict):
    """No other key signs."""

    code = "only_signing_key"
    detail = "No other key signs now and goes on to. Rotate first; in an emergency at once, with --now."


class SigningKeyStatus(StrEnum):
    """What a key is there for."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"


@dataclass
class SigningKeyView:
    """A key, without its private half."""

    kid: str
    status: SigningKeyStatus
    created_at: datetime
    activates_at: datetime
    retires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListSigningKeys:
    """List the keys that sign access tokens, or have signed some."""

    keys: SigningKeyStore
    clock: Clock

    async def __call__(self, actor: Actor) -> Sequence[SigningKeyView]:
        """Return all keys, the oldest first; raises PermissionDenied."""
        actor.require(Permission.SIGNING_KEYS)
        return [_view(key, self.clock.now()) for key in await self.keys.all()]


@dataclass(frozen=True, slots=True)
class RotateSigningKeys:
    """Publish the next key, and set when it takes over and when the present ones go."""

    keys: SigningKeyRing
    maker: SigningKeyMaker
    lifetimes: SessionLifetimes
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, *, delay: timedelta = PUBLICATION) -> SigningKeyView:
        """Return the next key, which signs after the delay, or at once if none does.

        Raises PermissionDenied, and Unavailable where present keys can't be opened: two secrets would be needed then.
        """
        actor.require(Permission.SIGNING_KEYS)
        keys = await self.keys.all()
        for present in keys:
            self.maker.check(present)
        now = self.clock.now()
        activates_at = now + delay if any(key.is_active(now) for key in keys) else now
        key = self.maker.make(now=now, activates_at=activates_at)
        await self.keys.add(key)
        for old in keys:
            # A key that would take over later has signed nothing, and never will. One that goes already has another
            # successor, and keeps its time, unless this one takes over sooner.
            is_overtaken = old.activates_at > activates_at
            retires_at = now if is_overtaken else activates_at + self.lifetimes.access_token + MARGIN
            if old.retires_at is None or retires_at < old.retires_at:
                await self.keys.save(replace(old, retires_at=retires_at))
        await self.audit.record(
            AuditAction.SIGNING_KEY_ROTATED,
            actor_id=actor.user_id,
            subject_id=None,
            client=actor.client,
            data={"kid": key.kid},
        )
        await self.unit.commit()
        return _view(key, now)


@dataclass(frozen=True, slots=True)
class RetireSigningKey:
    """Refuse at once whatever a key has signed: for one that leaked."""

    keys: SigningKeyRing
    audit: AuditLog
    unit: UnitOfWork
    clock: Clock

    async def __call__(self, actor: Actor, kid: str) -> SigningKeyView:
        """Return the key as it is now; raises PermissionDenied, SigningKeyNotFound, OnlySigningKey."""
        actor.require(Permission.SIGNING_KEYS)
        keys = {key.kid: key for key in await self.keys.all()}
        key = keys.pop(kid, None)
        if key is None:
            raise SigningKeyNotFound
        now = self.clock.now()
        if key.is_retired(now):
            return _view(key, now)
        if not any(other.is_active(now) and other.retires_at is None for other in keys.values()):
            raise OnlySigningKey
        key = replace(key, retires_at=now)
        await self.keys.save(key)
        await self.audit.record(
            AuditAction.SIGNING_KEY_RETIRED,
            actor_id=actor.user_id,
            subject_id=None,
            client=actor.client,
            data={"kid": kid},
        )
        await self.unit.commit()
        return _view(key, now)


def _view(key: SigningKey, now: datetime) -> SigningKeyView:
    if key.is_retired(now):
        status = SigningKeyStatus.RETIRED
    elif key.activates_at > now:
        status = SigningKeyStatus.NEXT
    else:
        status = SigningKeyStatus.ACTIVE if key.retires_at is None else SigningKeyStatus.RETIRING
    return SigningKeyView(key.kid, status, key.created_at, key.activates_at, key.retires_at)
