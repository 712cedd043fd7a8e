"""`AuditLog` and `AuditQueries`: append-only, chained, and verifiable after people were forgotten."""

import asyncio
import hashlib
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from dishka import AsyncContainer

from adapters.sql.engines import Engines
from application.audit import AuditEventView, AuditFilter, AuditQueries, AuditVerdict, BrokenLink, VerifyAuditTrail
from application.paging import Place
from application.ports import AuditLog, UnitOfWork
from domain.access import Actor, Client, PermissionDenied
from domain.audit import AuditAction, Flaw
from domain.ids import OPERATOR, UserId
from entrypoints.settings import Settings
from tests.builders import a_powerless_actor, an_id
from tests.clock import NOW, FixedClock
from tests.engines import engine_on
from tests.units import use

ANN, BOB = UserId(an_id()), UserId(an_id())
HOME = Client(ip="2001:db8::1", user_agent="Mozilla/5.0 (ümlaut)")
ON_SQL = pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


async def record(
    container: AsyncContainer,
    action: AuditAction = AuditAction.LOGIN_SUCCEEDED,
    *,
    actor_id: UserId | None = ANN,
    subject_id: UUID | None = None,
    client: Client = HOME,
    data: dict[str, str] | None = None,
    commits: bool = True,
) -> None:
    async with container() as scope:
        audit, unit = await scope.get(AuditLog), await scope.get(UnitOfWork)
        await audit.record(action, actor_id=actor_id, subject_id=subject_id, client=client, data=data)
        if commits:
            await unit.commit()


async def forget(container: AsyncContainer, user_id: UserId) -> None:
    async with container() as scope:
        audit, unit = await scope.get(AuditLog), await scope.get(UnitOfWork)
        await audit.forget(user_id)
        await unit.commit()


async def events(container: AsyncContainer, which: AuditFilter | None = None, *, limit: int = 2) -> list[Any]:
    """Return what was recorded, the newest first, from as many pages as it takes."""
    queries: AuditQueries = await container.get(AuditQueries)
    found: list[AuditEventView] = []
    place: Place | None = None
    while True:
        page = await queries.page(which or AuditFilter(), limit=limit, after=place)
        found += page.data
        place = page.next
        if place is None:
            return found


async def verify(container: AsyncContainer, *, anchor: str | None = None) -> AuditVerdict:
    return await use(container, VerifyAuditTrail)(Actor.operator(), anchor=anchor)


async def tamper(container: AsyncContainer, statement: str, **parameters: object) -> None:
    engines: Engines = await container.get(Engines)
    async with engine_on(engines.write).begin() as connection:
        await connection.execute(sa.text(statement), parameters)


# --- record


async def test_gives_back_what_was_recorded(container: AsyncContainer) -> None:
    await record(container, AuditAction.API_KEY_CREATED, actor_id=ANN, subject_id=BOB, data={"b": "é", "a": "1"})

    [event] = await events(container)

    assert event == AuditEventView(
        id=event.id,
        action="api_key.created",
        actor_id=ANN,
        subject_id=BOB,
        ip="2001:db8::1",
        user_agent="Mozilla/5.0 (ümlaut)",
        created_at=NOW,
        data={"a": "1", "b": "é"},
    )
    assert event.id.version == 7


async def test_records_what_is_not_known_as_nothing(container: AsyncContainer) -> None:
    await record(container, actor_id=None, client=Client())

    [event] = await events(container)

    assert (event.actor_id, event.subject_id, event.ip, event.user_agent, event.data) == (None, None, None, None, {})


async def test_the_operator_is_recorded_as_nobody_and_by_operator(container: AsyncContainer) -> None:
    await record(container, actor_id=OPERATOR, data={"kid": "k"})

    [event] = await events(container)

    assert event.actor_id is None
    assert event.data == {"kid": "k", "by": "operator"}


async def test_an_event_that_is_not_committed_never_happened(container: AsyncContainer) -> None:
    await record(container, commits=False)

    assert await events(container) == []


async def test_events_recorded_at_once_never_fork_the_chain(container: AsyncContainer) -> None:
    await asyncio.gather(*(record(container) for _ in range(20)))

    verdict = await verify(container)
    assert (verdict.events, verdict.broken) == (20, None)


# --- page


async def test_pages_hold_each_event_once_the_newest_first(container: AsyncContainer, clock: FixedClock) -> None:
    for number in range(7):
        await record(container, data={"number": str(number)})
        clock.advance(timedelta(microseconds=number % 2))

    assert [event.data["number"] for event in await events(container)] == ["6", "5", "4", "3", "2", "1", "0"]


async def test_events_are_filtered_by_actor_action_and_time(container: AsyncContainer, clock: FixedClock) -> None:
    await record(container, AuditAction.LOGIN_FAILED, actor_id=None, subject_id=ANN, data={"is": "early"})
    clock.advance(timedelta(seconds=1))
    await record(container, AuditAction.LOGIN_SUCCEEDED, actor_id=ANN, data={"is": "Ann's"})
    await record(container, AuditAction.LOGIN_SUCCEEDED, actor_id=BOB, data={"is": "Bob's"})

    async def found(which: AuditFilter) -> list[str]:
        return [event.data["is"] for event in await events(container, which, limit=1)]

    assert await found(AuditFilter(actor_id=ANN)) == ["Ann's"]
    assert await found(AuditFilter(action=AuditAction.LOGIN_SUCCEEDED)) == ["Bob's", "Ann's"]
    assert await found(AuditFilter(action=AuditAction.LOGIN_SUCCEEDED, actor_id=BOB)) == ["Bob's"]
    assert await found(AuditFilter(since=NOW)) == ["Bob's", "Ann's", "early"]
    assert await found(AuditFilter(since=NOW + timedelta(seconds=1))) == ["Bob's", "Ann's"]
    assert await found(AuditFilter(since=NOW + timedelta(seconds=2))) == []


# --- forget


async def test_a_forgotten_client_is_gone_and_the_chain_still_holds(container: AsyncContainer) -> None:
    await record(container, actor_id=ANN)
    await record(container, actor_id=None, subject_id=ANN)
    await record(container, actor_id=BOB)

    await forget(container, ANN)
    await record(container, actor_id=BOB)

    assert [event.ip for event in await events(container)] == [HOME.ip, HOME.ip, None, None]
    assert [event.user_agent for event in await events(container)] == [HOME.user_agent, HOME.user_agent, None, None]
    verdict = await verify(container)
    assert (verdict.events, verdict.broken) == (4, None)


@ON_SQL
async def test_nothing_of_a_forgotten_client_is_left_to_guess_by(container: AsyncContainer) -> None:
    await record(container)
    engines: Engines = await container.get(Engines)

    await forget(container, ANN)

    async with engine_on(engines.write).connect() as connection:
        [row] = (await connection.execute(sa.text("SELECT * FROM audit_events"))).mappings()
        assert row["client_salt"] is None
        assert not re.search(r"2001|Mozilla", repr(dict(row)))


# --- verify


async def test_an_empty_trail_is_whole(container: AsyncContainer) -> None:
    assert await verify(container) == AuditVerdict(events=0, head=None, broken=None, lacks_anchor=False)


async def test_a_trail_longer_than_a_batch_is_whole(container: AsyncContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.audit.BATCH", 3)
    for _ in range(7):
        await record(container)

    verdict = await verify(container)

    assert (verdict.events, verdict.broken) == (7, None)


async def test_only_who_may_read_the_audit_may_verify_it(container: AsyncContainer) -> None:
    with pytest.raises(PermissionDenied):
        await use(container, VerifyAuditTrail)(a_powerless_actor())


async def test_an_anchor_is_found_wherever_it_is(container: AsyncContainer) -> None:
    await record(container)
    anchor = (await verify(container)).head
    await record(container)

    assert not (await verify(container, anchor=anchor)).lacks_anchor
    assert (await verify(container, anchor=hashlib.sha256().hexdigest())).lacks_anchor


TAMPERINGS = {
    "position": ("position = 9", BrokenLink(3, Flaw.GAP)),
    "id": ("id = :id", Flaw.CONTENT),
    "action": ("action = 'login.failed'", Flaw.CONTENT),
    "unknown action": ("action = 'nonsense'", Flaw.CONTENT),
    "actor": ("actor_id = :id", Flaw.CONTENT),
    "no actor": ("actor_id = NULL", Flaw.CONTENT),
    "subject": ("subject_id = :id", Flaw.CONTENT),
    "ip": ("ip = '192.0.2.1'", Flaw.CLIENT),
    "no ip": ("ip = NULL", Flaw.CLIENT),
    "user agent": ("user_agent = 'other'", Flaw.CLIENT),
    "salt": ("client_salt = previous_hash", Flaw.CLIENT),
    "no salt": ("client_salt = NULL", Flaw.CLIENT),
    "digest": ("client_digest = previous_hash", Flaw.CONTENT),
    "time": ("created_at = :later", Flaw.CONTENT),
    "data": ("""data = '{"a":"2"}'""", Flaw.CONTENT),
    "spelling of the data": ("""data = '{"a": "1"}'""", Flaw.CONTENT),
    "data that are none": ("data = '{'", Flaw.CONTENT),
    "previous hash": ("previous_hash = hash", Flaw.FORK),
    "hash": ("hash = previous_hash", Flaw.CONTENT),
}


@ON_SQL
@pytest.mark.parametrize(("change", "broken"), TAMPERINGS.values(), ids=TAMPERINGS)
async def test_a_change_of_any_column_is_found(
    container: AsyncContainer, change: str, broken: Flaw | BrokenLink, storage: Settings
) -> None:
    for _ in range(3):
        await record(container, data={"a": "1"})

    parameters: dict[str, object] = {}
    statement = sa.text(f"UPDATE audit_events SET {change} WHERE position = 2")  # noqa: S608 - constants above
    if ":id" in change:
        statement = statement.bindparams(sa.bindparam("id", type_=sa.Uuid()))
        parameters["id"] = an_id()
    if ":later" in change:
        later = NOW + timedelta(seconds=1)
        parameters["later"] = str(later.replace(tzinfo=None)) if storage.is_sqlite else later
    engines: Engines = await container.get(Engines)
    async with engine_on(engines.write).begin() as connection:
        await connection.execute(statement, parameters)

    verdict = await verify(container)

    assert verdict.broken == (broken if isinstance(broken, BrokenLink) else BrokenLink(2, broken))
    assert verdict.events == 1


@ON_SQLITE
@pytest.mark.parametrize(
    "change",
    [
        "id = 'nonsense'",
        "actor_id = 'x'",
        "created_at = 'yesterday'",
        "hash = 'text'",
        "previous_hash = 'text'",
        "client_digest = 'text'",
        "client_salt = 'text'",
        "data = x'ff'",
        "action = x'00'",
        "ip = x'00'",
        "user_agent = x'00'",
    ],
)
async def test_a_value_that_no_event_has_is_found(container: AsyncContainer, change: str) -> None:
    for _ in range(3):
        await record(container)

    await tamper(container, f"UPDATE audit_events SET {change} WHERE position = 2")  # noqa: S608 - constants above

    verdict = await verify(container)
    assert verdict.broken == BrokenLink(2, Flaw.UNREADABLE)
    assert verdict.events == 1


@ON_SQL
@pytest.mark.parametrize(("removed", "found_at"), [(1, 2), (2, 3)])
async def test_a_missing_event_is_found(container: AsyncContainer, removed: int, found_at: int) -> None:
    for _ in range(3):
        await record(container)

    await tamper(container, "DELETE FROM audit_events WHERE position = :position", position=removed)

    assert (await verify(container)).broken == BrokenLink(found_at, Flaw.GAP)


@ON_SQL
async def test_a_missing_event_is_found_though_those_behind_it_moved_up(container: AsyncContainer) -> None:
    for _ in range(3):
        await record(container)

    await tamper(container, "DELETE FROM audit_events WHERE position = 2")
    await tamper(container, "UPDATE audit_events SET position = 2 WHERE position = 3")

    assert (await verify(container)).broken == BrokenLink(2, Flaw.FORK)


@ON_SQL
async def test_a_missing_end_is_found_by_an_anchor_only(container: AsyncContainer) -> None:
    for _ in range(3):
        await record(container)
    anchor = (await verify(container)).head

    await tamper(container, "DELETE FROM audit_events WHERE position = 3")

    verdict = await verify(container, anchor=anchor)
    assert (await verify(container)).broken is None
    assert (verdict.events, verdict.broken, verdict.lacks_anchor) == (2, None, True)
