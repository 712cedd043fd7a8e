"""The worker: at once when there is mail, never ended by what fails, beside requests that do not notice."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import structlog
from dishka import AsyncContainer, Provider, provide

import entrypoints.worker
from adapters.mail.memory import MemoryMailer
from adapters.memory.outbox import MemoryLetterQueue
from adapters.memory.store import MemoryStore
from application.mail import Mailer, Message
from application.outbox import Letter, LetterQueue, LetterStatus, MailBell
from application.retention import PURGE_BATCH, Leftover, Leftovers
from domain.errors import Unavailable
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings
from entrypoints.worker import Worker, working
from tests.api import serve
from tests.containers import Override
from tests.mail.conftest import Containers, mailed_by
from tests.mail.outbox import leave, letters_of
from tests.mail.smtp import Sink, a_free_port, mute_server

in_memory = pytest.mark.parametrize("storage", ["memory"], indirect=True)


async def until(condition: Callable[[], bool], *, seconds: float = 5) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


async def sent_by(container: AsyncContainer) -> Sequence[Message]:
    mailer = await container.get(Mailer)
    assert isinstance(mailer, MemoryMailer)
    return mailer.sent


# --- mail


async def test_delivers_mail_as_soon_as_it_is_committed(
    a_container: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrypoints.worker, "POLL", 60.0)
    container = a_container(mailed_by(MemoryMailer))
    sent = await sent_by(container)

    async with working(container):
        await asyncio.sleep(0.05)  # it has looked, and found nothing
        await leave(container, times=6)
        await until(lambda: len(sent) == 6)


async def test_looks_for_the_mail_of_other_processes_now_and_then(
    a_container: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrypoints.worker, "POLL", 0.02)
    container = a_container(mailed_by(MemoryMailer))
    sent = await sent_by(container)
    bell: MailBell = await container.get(MailBell)
    monkeypatch.setattr(bell, "ring", lambda: None)

    async with working(container):
        await asyncio.sleep(0.03)
        await leave(container)
        await until(lambda: len(sent) == 1)


async def test_delivers_what_was_left_before_it_began(a_container: Containers) -> None:
    container = a_container(mailed_by(MemoryMailer))
    sent = await sent_by(container)
    await leave(container, times=9)

    async with working(container):
        await until(lambda: len(sent) == 9)


@in_memory
async def test_finishes_what_it_is_sending_before_it_stops(a_container: Containers, sink: Sink) -> None:
    container = a_container(mail_url=f"smtp://127.0.0.1:{sink.port}")
    sink.may_answer.clear()
    await leave(container)

    async with working(container):
        await sink.until_arriving(1)
        asyncio.get_running_loop().call_later(0.02, sink.may_answer.set)

    (letter,) = await letters_of(container)
    assert letter.status is LetterStatus.SENT


@in_memory
async def test_stops_in_time_whatever_the_mail_server_does(
    a_container: Containers, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrypoints.worker, "GRACE", 0.02)
    container = a_container(mail_url=f"smtp://127.0.0.1:{sink.port}")
    sink.may_answer.clear()
    await leave(container)

    async with asyncio.timeout(2):
        async with working(container):
            await sink.until_arriving(1)

    (letter,) = await letters_of(container)
    assert (letter.status, letter.attempts) == (LetterStatus.PENDING, 1)


# --- what fails


class FlakyStorage(Provider):
    """A queue and leftovers that fail a number of times, and work from then on."""

    scope = Lifetime.APP

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.failures = list(failures)
        self.purge_failures = list(failures)

    @provide
    def queue(self, store: MemoryStore) -> LetterQueue:
        failures = self.failures

        class FlakyQueue(MemoryLetterQueue):
            async def claim(self, *, limit: int, now: datetime, until: datetime) -> Sequence[Letter]:
                if failures:
                    raise failures.pop(0)
                return await super().claim(limit=limit, now=now, until=until)

        return FlakyQueue(store)

    @provide
    def leftovers(self) -> Leftovers:
        failures = self.purge_failures

        class FlakyLeftovers(Leftovers):
            async def remove(self, leftover: Leftover, *, before: datetime, limit: int) -> int:
                del leftover, before, limit
                if failures:
                    raise failures.pop(0)
                return 0

        return FlakyLeftovers()


@in_memory
async def test_nothing_that_fails_ends_it(a_container: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrypoints.worker, "BACKOFF_MAX", 0.01)
    monkeypatch.setattr(entrypoints.worker, "POLL", 0.01)
    storage = FlakyStorage(Unavailable(), RuntimeError("a bug"), Unavailable())
    container = a_container(storage)

    with structlog.testing.capture_logs() as logs:
        async with working(container):
            await until(lambda: not storage.failures and not storage.purge_failures)

    events = [(log["log_level"], log["event"]) for log in logs if log["job"] == "deliver letters"]
    assert events == [("warning", "the worker waits"), ("error", "the worker failed"), ("warning", "the worker waits")]


@in_memory
async def test_waits_longer_with_each_failure_and_starts_anew_after_a_success(
    a_container: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def rest(self: Worker, seconds: float) -> None:
        del self
        waits.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(Worker, "_rest", rest)
    monkeypatch.setattr(entrypoints.worker, "POLL", 0.01)
    storage = FlakyStorage(*(Unavailable() for _ in range(8)))
    storage.purge_failures.clear()
    container = a_container(storage)

    async with working(container):
        await until(lambda: not storage.failures)

    assert [wait for wait in waits if wait != entrypoints.worker.PURGE_EVERY] == [2, 4, 8, 16, 32, 60, 60, 60]


# --- what it tells


@in_memory
async def test_tells_how_letters_fared_and_to_nobody_what_they_say_or_to_whom(
    a_container: Containers, sink: Sink
) -> None:
    container = a_container(mail_url=f"smtp://127.0.0.1:{sink.port}")
    sink.to_recipient = "550 <ada@example.org> unknown"
    await leave(container, recipient="ada@example.org")

    with structlog.testing.capture_logs() as logs:
        async with working(container):
            await until(lambda: bool(logs))

    (letter,) = await letters_of(container)
    assert logs[0] == {
        "event": "letter pending",
        "log_level": "warning",
        "letter": str(letter.id),
        "template": "verify_email",
        "attempts": 1,
        "reason": "The mail server answered 550 <(the recipient)> unknown",
    }
    assert "s3cr3t" not in repr(logs)
    assert "ada@" not in repr(logs)


@in_memory
async def test_tells_when_another_relay_has_taken_a_letter_over(a_container: Containers) -> None:
    class SlowMailer(MemoryMailer):
        async def send(self, message: Message) -> None:
            queue: LetterQueue = await container.get(LetterQueue)
            await queue.retry(message.id, now=message.created_at + timedelta(days=1))
            await super().send(message)

    container = a_container(mailed_by(SlowMailer))
    await leave(container)

    with structlog.testing.capture_logs() as logs:
        async with working(container):
            await until(lambda: len(logs) == 2)

    assert [log["event"] for log in logs] == [
        "letter sent",
        "letter was claimed by another relay meanwhile, or removed",
    ]


# --- the purge


class MuchLeft(Provider):
    """Leftovers of one kind that fill some batches."""

    scope = Lifetime.APP

    def __init__(self, *batches: int) -> None:
        super().__init__()
        self.batches = list(batches)

    @provide
    def leftovers(self) -> Leftovers:
        batches = self.batches

        class Heap(Leftovers):
            async def remove(self, leftover: Leftover, *, before: datetime, limit: int) -> int:
                del before, limit
                return batches.pop(0) if batches and leftover is Leftover.ENDED_SESSIONS else 0

        return Heap()


@in_memory
async def test_purges_batch_after_batch_until_little_is_left(
    a_container: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrypoints.worker, "PURGE_PAUSE", 0.001)
    heap = MuchLeft(PURGE_BATCH, PURGE_BATCH, 7, 99)
    container = a_container(heap)

    with structlog.testing.capture_logs() as logs:
        async with working(container):
            await until(lambda: len(logs) == 3)
            await asyncio.sleep(0.02)

    assert heap.batches == [99]
    assert [log["ended_sessions"] for log in logs] == [PURGE_BATCH, PURGE_BATCH, 7]


# --- beside requests


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("server", ["is down", "says nothing", "holds the letter back"])
async def test_requests_do_not_notice_what_a_mail_server_does(
    storage: Settings,
    overrides: tuple[Override, ...],
    a_container: Containers,
    sink: Sink,
    monkeypatch: pytest.MonkeyPatch,
    server: str,
) -> None:
    monkeypatch.setattr(entrypoints.worker, "POLL", 0.01)
    monkeypatch.setattr(entrypoints.worker, "GRACE", 0.01)
    sink.may_answer.clear()
    elsewhere = a_container()
    await leave(elsewhere, times=5)
    with mute_server() as mute_port:
        port = {"is down": a_free_port(), "says nothing": mute_port, "holds the letter back": sink.port}[server]
        settings = replace(storage, mail_url=f"smtp://127.0.0.1:{port}")

        async with serve(settings, *overrides, works=True) as api:
            await until_attempted(elsewhere)
            async with asyncio.timeout(3):
                person = await api.a_person()
                answers = [await api.post("/items", person, json={"title": "Milk"}) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {201}
    assert {letter.status for letter in await letters_of(elsewhere)} == {LetterStatus.PENDING}


async def until_attempted(container: AsyncContainer) -> None:
    """Wait until the worker has begun."""
    async with asyncio.timeout(5):
        while not any(letter.attempts for letter in await letters_of(container)):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)


@in_memory
async def test_the_application_works_only_if_told_to(
    storage: Settings, overrides: tuple[Override, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Worker] = []

    async def run(worker: Worker) -> None:
        begun.append(worker)

    monkeypatch.setattr(Worker, "run", run)

    async with serve(storage, *overrides):
        await asyncio.sleep(0)
        without = len(begun)
    async with serve(storage, *overrides, works=True):
        await asyncio.sleep(0)

    assert (without, len(begun)) == (0, 1)
