"""How often a password may be tried, and what is written down about it."""

import unicodedata
from dataclasses import dataclass

from application.auth.ports import Credential, LoginPlaces
from application.ports import AuditLog, Throttle, UnitOfWork
from application.throttling import (
    LOGIN_BY_ACCOUNT,
    LOGIN_BY_ADDRESS,
    LOGIN_BY_KNOWN_PLACE,
    LOGIN_THROTTLED_NOTED,
    ThrottleRule,
    place_of,
)
from domain.access import Client
from domain.audit import AuditAction
from domain.errors import Invalid, Limited
from domain.ids import OPERATOR, UserId
from domain.users.email import Email, parse_email

NOBODY = OPERATOR
"""Whose places are looked up where there is no account: no row has this id, and the work is the same."""


@dataclass(frozen=True, slots=True)
class LoginSubject:
    """Whose password is tried: the one spelling that is counted, and the address, unless that is malformed."""

    spelling: str
    address: Email | None

    @classmethod
    def read(cls, email: str) -> "LoginSubject":
        """Return the subject of whatever was typed; what is no address is counted too."""
        try:
            address = parse_email(email)
        except Invalid:
            return cls(f"malformed {unicodedata.normalize('NFC', email).strip().casefold()}", None)
        return cls(address, address)


@dataclass(frozen=True, slots=True)
class Admission:
    """A try that was counted."""

    rule: ThrottleRule
    subject: str


@dataclass(frozen=True, slots=True)
class LoginGuard:
    """Counts tries before any password is hashed, in units of its own, and records how they went.

    ======================  ==========================  ============================================================
    rule                    counted per                 a right password
    ======================  ==========================  ============================================================
    `LOGIN_BY_ADDRESS`      place                       counts too: a hash costs the same, whatever comes out
    `LOGIN_BY_KNOWN_PLACE`  account and place, where    gives its own try back, so that an owner, or a script that
                            it has signed in before     signs in all day, is not refused; it gives back no other
    `LOGIN_BY_ACCOUNT`      account, everywhere else    try, so that a guesser gains nothing from others' successes
    ======================  ==========================  ============================================================

    Strangers can use up an account's tries elsewhere, and never those of a place that its owner signed in from. They
    could learn only that they are in such a place themselves. Known and unknown addresses cost the same work.
    """

    throttle: Throttle
    places: LoginPlaces
    audit: AuditLog
    unit: UnitOfWork

    async def admit_place(self, client: Client) -> None:
        """Count a try from where the client is; raises Limited, Unavailable."""
        await self._take(LOGIN_BY_ADDRESS, place_of(client.ip), None, client)

    async def admit(self, subject: LoginSubject, credential: Credential | None, *, client: Client) -> Admission:
        """Count a try with this account's password, before it is hashed; raises Limited, Unavailable."""
        user_id = None if credential is None else credential.user_id
        place = place_of(client.ip)
        if await self.places.knows(user_id or NOBODY, place):
            return await self._take(LOGIN_BY_KNOWN_PLACE, f"{subject.spelling} {place}", user_id, client)
        return await self._take(LOGIN_BY_ACCOUNT, subject.spelling, user_id, client)

    async def succeeded(self, admission: Admission) -> None:
        """Give a try with the right password back. Call it while no unit is open."""
        await self.throttle.give_back(admission.rule, admission.subject)

    async def failed(self, credential: Credential | None, *, client: Client) -> None:
        """Record, durably, that the password was not accepted: it stays although the answer is an error."""
        await self.audit.record(
            AuditAction.LOGIN_FAILED,
            actor_id=None,
            subject_id=None if credential is None else credential.user_id,
            client=client,
        )
        await self.unit.commit()

    async def _take(self, rule: ThrottleRule, subject: str, user_id: UserId | None, client: Client) -> Admission:
        try:
            await self.throttle.take(rule, subject)
        except Limited:
            await self._note(rule, subject, user_id, client)
            raise
        return Admission(rule, subject)

    async def _note(self, rule: ThrottleRule, subject: str, user_id: UserId | None, client: Client) -> None:
        """Record the first refusal in a while; the rest would only fill the audit trail."""
        try:
            await self.throttle.take(LOGIN_THROTTLED_NOTED, f"{rule.name} {subject}")
        except Limited:
            return
        await self.audit.record(
            AuditAction.LOGIN_THROTTLED, actor_id=None, subject_id=user_id, client=client, data={"rule": rule.name}
        )
        await self.unit.commit()
