"""Letters from the outbox to a mail server, whatever the server does."""

import asyncio
from collections import Counter
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from dishka import AsyncContainer

import application.mail
from adapters.mail.memory import MemoryMailer
from application.mail import (
    TRIES,
    DeliverLetters,
    Delivery,
    LetterWriter,
    ListLetters,
    Mailer,
    Message,
    RetryLetter,
    ShowLetter,
    backoff,
)
from application.outbox import (
    LetterAlreadySent,
    LetterNotFound,
    LetterSort,
    LetterStatus,
    LetterTemplate,
)
from application.paging import Order
from domain.access import Actor, PermissionDenied
from entrypoints.settings import Settings
from tests.builders import SECRET_KEY, a_powerless_actor
from tests.clock import NOW, FixedClock
from tests.containers import Overrides, container_for
from tests.mail.conftest import Containers, mailed_by
from tests.mail.outbox import LINK, an_unknown_letter, claim, leave, letters_of, the_letter
from tests.mail.smtp import OK, Sink, a_free_port, mute_server, smtp_server, text_of

in_memory = pytest.mark.parametrize("storage", ["memory"], indirect=True)
on_databases = pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)

LEASE = timedelta(seconds=60)


def smtp_url(port: int) -> str:
    return f"smtp://127.0.0.1:{port}"


async def deliver(container: AsyncContainer) -> list[Delivery]:
    deliver_letters: DeliverLetters = await container.get(DeliverLetters)
    return list(await deliver_letters())


async def deliver_until_dead(container: AsyncContainer, clock: FixedClock) -> int:
    """Deliver the only letter whenever it is due, and return how many tries it took until it was dead."""
    for tries in range(1, 20):
        (delivery,) = await deliver(container)
        if delivery.status is LetterStatus.DEAD:
            return tries
        clock.advance((await the_letter(container)).next_attempt_at - clock.now())
    pytest.fail("it does not die")


# --- a server that takes everything


async def test_a_letter_arrives_whole_and_once(a_container: Containers, sink: Sink) -> None:
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container, LetterTemplate.RESET_PASSWORD, recipient="ada@example.org")

    (delivery,) = await deliver(container)
    nothing_more = await deliver(container)

    letter = await the_letter(container)
    assert delivery == Delivery(letter.id, letter.template, 1, LetterStatus.SENT, None, is_noted=True)
    assert nothing_more == []
    assert (letter.status, letter.sent_at) == (LetterStatus.SENT, NOW)
    (envelope,), (message,) = sink.envelopes, sink.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@mail.example.org", ["ada@example.org"])
    assert message["From"] == "Portico <no-reply@mail.example.org>"
    assert message["To"] == "ada@example.org"
    assert message["Message-ID"] == f"<{letter.id}@api.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]) == NOW.replace(microsecond=0)
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert LINK in text_of(message)
    assert LINK in message.get_body(("html",)).get_content()  # type: ignore[union-attr]


@in_memory
async def test_sends_letters_of_a_batch_at_the_same_time(a_container: Containers, sink: Sink) -> None:
    sink.may_answer.clear()
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container, times=5)

    delivery = asyncio.create_task(deliver(container))
    await sink.until_arriving(4)
    sink.may_answer.set()

    assert len(await delivery) == len(sink.envelopes) == 4


# --- a server that does not


@in_memory
async def test_a_server_that_was_down_gets_the_letter_later(a_container: Containers, clock: FixedClock) -> None:
    port = a_free_port()
    container = a_container(mail_url=smtp_url(port))
    await leave(container)

    (delivery,) = await deliver(container)
    letter = await the_letter(container)
    assert (delivery.status, letter.status) == (LetterStatus.PENDING, LetterStatus.PENDING)
    assert letter.last_error is not None
    assert "Error connecting to 127.0.0.1" in letter.last_error
    assert timedelta(seconds=8) <= letter.next_attempt_at - NOW <= timedelta(seconds=12)

    async with smtp_server(Sink(), port=port) as sink:
        clock.advance(timedelta(seconds=12))
        (delivery,) = await deliver(container)

    assert delivery.status is LetterStatus.SENT
    assert (await the_letter(container)).last_error is None
    assert len(sink.messages) == 1


@in_memory
@pytest.mark.parametrize("to", ["to_sender", "to_recipient", "to_data"])
async def test_a_busy_server_is_tried_twelve_times(
    a_container: Containers, clock: FixedClock, sink: Sink, to: str
) -> None:
    setattr(sink, to, "451 4.3.0 Try\x1b later")
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container)

    assert await deliver_until_dead(container, clock) == 12

    letter = await the_letter(container)
    assert letter.last_error == "The mail server answered 451 4.3.0 Try later".replace("Try", "Try ")
    assert timedelta(hours=4) < clock.now() - NOW < timedelta(hours=7)
    assert sink.envelopes == []


@in_memory
@pytest.mark.parametrize("to", ["to_recipient", "to_data"])
async def test_a_letter_that_is_refused_for_good_is_tried_three_times(
    a_container: Containers, clock: FixedClock, sink: Sink, to: str
) -> None:
    setattr(sink, to, "550 5.1.1 <Ada@Example.org>: no such user")
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container, recipient="ada@example.org")

    assert await deliver_until_dead(container, clock) == 3

    letter = await the_letter(container)
    assert letter.last_error == "The mail server answered 550 5.1.1 <(the recipient)>: no such user"


@in_memory
async def test_a_server_that_refuses_the_sender_is_not_the_letters_fault(
    a_container: Containers, clock: FixedClock, sink: Sink
) -> None:
    sink.to_sender = "550 not you"
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container)

    statuses = set()
    for _ in range(5):
        (delivery,) = await deliver(container)
        statuses.add(delivery.status)
        clock.advance(timedelta(hours=1))
    sink.to_sender = OK
    (delivery,) = await deliver(container)

    assert statuses == {LetterStatus.PENDING}
    assert delivery.status is LetterStatus.SENT


@in_memory
async def test_gives_up_on_a_server_that_says_nothing(a_container: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application.mail, "SEND_DEADLINE", timedelta(seconds=0.05))
    with mute_server() as port:
        container = a_container(mail_url=smtp_url(port))
        await leave(container)

        (delivery,) = await deliver(container)

    assert delivery.status is LetterStatus.PENDING
    assert delivery.reason is not None
    assert delivery.reason.startswith("It took more than ")


@on_databases
async def test_keeps_no_connection_to_the_database_while_a_letter_is_on_its_way(
    a_container: Containers, sink: Sink
) -> None:
    sink.may_answer.clear()
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container)
    delivery = asyncio.create_task(deliver(container))
    await sink.until_arriving(1)

    async with asyncio.timeout(2):
        await leave(container)

    assert not delivery.done()
    sink.may_answer.set()
    await delivery
    assert [letter.status for letter in await letters_of(container)] == [LetterStatus.SENT, LetterStatus.PENDING]


# --- several relays, and relays that die


@pytest.mark.long
@on_databases
async def test_relays_side_by_side_deliver_each_letter_exactly_once(storage: Settings, clock: FixedClock) -> None:
    containers = [container_for(storage, Overrides(clock), mailed_by(MemoryMailer)) for _ in range(2)]
    await leave(containers[0], times=200)

    async def relay(container: AsyncContainer) -> Counter[str]:
        while await deliver(container):
            pass
        mailer = await container.get(Mailer)
        assert isinstance(mailer, MemoryMailer)
        return Counter(str(message.id) for message in mailer.sent)

    counts = await asyncio.gather(*map(relay, containers))

    sent = counts[0] + counts[1]
    letters = await letters_of(containers[0])
    for container in containers:
        await container.close()
    assert sent == Counter({str(letter.id): 1 for letter in letters})
    assert all(count for count in counts)
    assert {(letter.status, letter.attempts) for letter in letters} == {(LetterStatus.SENT, 1)}


async def test_a_relay_that_dies_before_it_notes_the_delivery_sends_the_same_letter_again(
    a_container: Containers, clock: FixedClock, sink: Sink
) -> None:
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container)
    (held,) = await claim(container)
    mailer: Mailer = await container.get(Mailer)
    writer: LetterWriter = await container.get(LetterWriter)
    await mailer.send(writer.write(held))  # and now the process is gone

    too_early = await deliver(container)
    clock.advance(LEASE)
    (delivery,) = await deliver(container)
    nothing_more = await deliver(container)

    assert (too_early, nothing_more) == ([], [])
    assert (delivery.status, delivery.attempts) == (LetterStatus.SENT, 2)
    first, second = sink.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert text_of(first) == text_of(second)


async def test_a_letter_that_kills_each_relay_is_given_up(a_container: Containers, clock: FixedClock) -> None:
    container = a_container(mailed_by(MemoryMailer))
    await leave(container)
    for _ in range(TRIES):
        await claim(container, now=clock.now())
        clock.advance(LEASE)

    (delivery,) = await deliver(container)

    mailer = await container.get(Mailer)
    assert isinstance(mailer, MemoryMailer)
    assert not mailer.sent
    assert (delivery.status, delivery.reason) == (LetterStatus.DEAD, "None of 12 tries came to an end.")


async def test_a_relay_that_was_stopped_for_too_long_finds_its_letter_taken(
    a_container: Containers, clock: FixedClock
) -> None:
    class StoppedMailer(MemoryMailer):
        async def send(self, message: Message) -> None:
            clock.advance(LEASE)
            self.successor = await claim(container, now=clock.now())
            await super().send(message)

    container = a_container(mailed_by(StoppedMailer))
    await leave(container)

    (delivery,) = await deliver(container)

    assert delivery.is_noted is False
    letter = await the_letter(container)
    assert (letter.status, letter.attempts) == (LetterStatus.PENDING, 2)


@in_memory
async def test_a_bug_in_one_delivery_is_raised_after_the_others_are_done(a_container: Containers) -> None:
    class FaultyMailer(MemoryMailer):
        async def send(self, message: Message) -> None:
            if message.recipient == "bug@example.org":
                raise RuntimeError("a bug")
            await asyncio.sleep(0.01)
            await super().send(message)

    container = a_container(mailed_by(FaultyMailer))
    await leave(container, recipient="bug@example.org")
    await leave(container, times=2)

    with pytest.raises(RuntimeError, match="a bug"):
        await deliver(container)

    statuses = [letter.status for letter in await letters_of(container)]
    assert statuses == [LetterStatus.PENDING, LetterStatus.SENT, LetterStatus.SENT]


@on_databases
async def test_a_letter_sealed_with_another_secret_is_dead_until_the_secret_is_back(a_container: Containers) -> None:
    container = a_container(mailed_by(MemoryMailer))
    other = a_container(mailed_by(MemoryMailer), secret_key=SECRET_KEY[::-1])
    await leave(container)

    (delivery,) = await deliver(other)
    await retry(container)
    (again,) = await deliver(container)

    assert delivery.status is LetterStatus.DEAD
    assert delivery.reason is not None
    assert "PORTICO_SECRET_KEY" in delivery.reason
    assert again.status is LetterStatus.SENT


async def retry(container: AsyncContainer) -> None:
    retry_letter: RetryLetter = await container.get(RetryLetter)
    await retry_letter(Actor.operator(), (await the_letter(container)).id)


# --- waiting


def test_waits_twice_as_long_each_time_give_or_take_a_fifth() -> None:
    assert [backoff(attempts, chance=0.5) for attempts in (1, 2, 3, 11)] == [
        timedelta(seconds=seconds) for seconds in (10, 20, 40, 10_240)
    ]
    assert (backoff(1, chance=0), backoff(1, chance=1)) == (timedelta(seconds=8), timedelta(seconds=12))


# --- operators


@in_memory
async def test_operators_list_show_and_retry_letters(a_container: Containers, clock: FixedClock, sink: Sink) -> None:
    sink.to_recipient = "550 no such user"
    container = a_container(mail_url=smtp_url(sink.port))
    await leave(container)
    await deliver_until_dead(container, clock)
    list_letters: ListLetters = await container.get(ListLetters)
    show_letter: ShowLetter = await container.get(ShowLetter)
    retry_letter: RetryLetter = await container.get(RetryLetter)
    operator, order = Actor.operator(), Order(LetterSort.CREATED_AT)

    (dead,) = (await list_letters(operator, status=LetterStatus.DEAD, order=order, limit=10)).data
    shown = await show_letter(operator, dead.id)
    retried = await retry_letter(operator, dead.id)
    sink.to_recipient = OK
    (delivery,) = await deliver(container)

    assert shown == dead
    assert (retried.status, retried.attempts) == (LetterStatus.PENDING, 0)
    assert (delivery.status, delivery.attempts) == (LetterStatus.SENT, 1)
    with pytest.raises(LetterAlreadySent):
        await retry_letter(operator, dead.id)
    with pytest.raises(LetterNotFound):
        await retry_letter(operator, an_unknown_letter())


@in_memory
async def test_nobody_else_may_look_into_the_outbox(a_container: Containers) -> None:
    container = a_container()
    await leave(container)
    letter, nobody = await the_letter(container), a_powerless_actor()
    list_letters: ListLetters = await container.get(ListLetters)
    show_letter: ShowLetter = await container.get(ShowLetter)
    retry_letter: RetryLetter = await container.get(RetryLetter)

    with pytest.raises(PermissionDenied):
        await list_letters(nobody, order=Order(LetterSort.CREATED_AT), limit=10)
    with pytest.raises(PermissionDenied):
        await show_letter(nobody, letter.id)
    with pytest.raises(PermissionDenied):
        await retry_letter(nobody, letter.id)
