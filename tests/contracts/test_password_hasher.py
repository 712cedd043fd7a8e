"""`PasswordHasher`, on argon2 at a cost that tests can pay."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from argon2.exceptions import HashingError, VerificationError

from adapters.security.argon2 import Argon2PasswordHasher
from application.auth.ports import PasswordCheck, PasswordHasher
from domain.auth.password import Password
from domain.errors import Unavailable
from entrypoints.container import make_container
from tests.builders import PASSWORD
from tests.containers import settings_for

RIGHT, WRONG = Password(PASSWORD), Password(PASSWORD + "!")


@pytest.fixture
def hasher() -> Iterator[Argon2PasswordHasher]:
    hasher = Argon2PasswordHasher(threads=1, memory_kib=8, time_cost=1)
    yield hasher
    hasher.close()


@pytest.fixture
def slow_hasher() -> Iterator[Argon2PasswordHasher]:
    """A hasher whose work can be measured: some ten milliseconds each."""
    hasher = Argon2PasswordHasher(threads=1, memory_kib=8192, time_cost=2, waiting_max=2)
    yield hasher
    hasher.close()


async def test_a_hash_is_a_salted_phc_string(hasher: Argon2PasswordHasher) -> None:
    first, second = await hasher.hash(RIGHT), await hasher.hash(RIGHT)

    assert first.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert first != second
    assert PASSWORD not in first


async def test_knows_the_right_password(hasher: Argon2PasswordHasher) -> None:
    assert await hasher.check(RIGHT, await hasher.hash(RIGHT)) == PasswordCheck(is_right=True)


@pytest.mark.parametrize(
    "wrong", [WRONG, Password(PASSWORD[:-1]), Password(""), Password(PASSWORD.upper()), Password(PASSWORD + "\0")]
)
async def test_refuses_every_other_password(hasher: Argon2PasswordHasher, wrong: Password) -> None:
    assert await hasher.check(wrong, await hasher.hash(RIGHT)) == PasswordCheck(is_right=False)


async def test_where_there_is_no_memory_no_password_is_called_wrong(
    hasher: Argon2PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    password_hash = await hasher.hash(RIGHT)

    def fail(error: type[Exception]) -> Callable[..., object]:
        def fail(*_: object, **__: object) -> None:
            raise error("Memory allocation error")

        return fail

    monkeypatch.setattr("argon2.PasswordHasher.verify", fail(VerificationError))
    monkeypatch.setattr("argon2.PasswordHasher.hash", fail(HashingError))

    with pytest.raises(Unavailable):
        await hasher.check(RIGHT, password_hash)
    with pytest.raises(Unavailable):
        await hasher.hash(RIGHT)


@pytest.mark.parametrize("text", ["пароль из слов", "\N{GRINNING FACE}" * 128, "a\0b", "\ud800 alone", ""])
async def test_hashes_whatever_people_type(hasher: Argon2PasswordHasher, text: str) -> None:
    password_hash = await hasher.hash(Password(text))

    assert (await hasher.check(Password(text), password_hash)).is_right
    assert not (await hasher.check(Password(text + "x"), password_hash)).is_right


@pytest.mark.parametrize("password", [RIGHT, Password("nobody has this password"), Password("")])
async def test_is_never_right_without_a_hash(hasher: Argon2PasswordHasher, password: Password) -> None:
    assert await hasher.check(password, None) == PasswordCheck(is_right=False)


@pytest.mark.parametrize(
    "password_hash",
    [
        "",
        "!",
        "plain text",
        "$argon2id$",
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$argon2id$v",
    ],
)
async def test_is_never_right_with_what_is_no_hash(hasher: Argon2PasswordHasher, password_hash: str) -> None:
    assert await hasher.check(RIGHT, password_hash) == PasswordCheck(is_right=False)


async def test_tells_that_a_hash_is_weaker_than_new_ones(
    hasher: Argon2PasswordHasher, slow_hasher: Argon2PasswordHasher
) -> None:
    weak = await hasher.hash(RIGHT)

    assert await slow_hasher.check(RIGHT, weak) == PasswordCheck(is_right=True, is_outdated=True)
    assert await slow_hasher.check(WRONG, weak) == PasswordCheck(is_right=False)


@pytest.mark.parametrize("cost", ["m=131073,t=2,p=1", "m=19456,t=11,p=1", "m=4194304,t=1,p=1"])
async def test_computes_no_stored_hash_that_costs_too_much(hasher: Argon2PasswordHasher, cost: str) -> None:
    expensive = f"$argon2id$v=19${cost}$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b3dWRWJTmaaOH10tIkJl1Ut1Mk"

    async with asyncio.timeout(0.5):
        assert await hasher.check(RIGHT, expensive) == PasswordCheck(is_right=False)


async def test_does_the_same_work_whether_or_not_there_is_a_hash(slow_hasher: Argon2PasswordHasher) -> None:
    password_hash = await slow_hasher.hash(RIGHT)

    async def work(password: Password, password_hash: str | None) -> float:
        """Return the least CPU time of a few tries: that of the hashing and of nothing else."""
        spent = []
        for _ in range(5):
            before = time.process_time()
            await slow_hasher.check(password, password_hash)
            spent.append(time.process_time() - before)
        return min(spent)

    right = await work(RIGHT, password_hash)
    assert await work(WRONG, password_hash) == pytest.approx(right, rel=0.5)
    assert await work(WRONG, None) == pytest.approx(right, rel=0.5)
    assert await work(WRONG, "no hash at all") == pytest.approx(right, rel=0.5)


async def test_leaves_the_event_loop_free(slow_hasher: Argon2PasswordHasher) -> None:
    hashing = asyncio.create_task(slow_hasher.hash(RIGHT))
    turns = 0

    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 10


async def test_turns_people_away_when_too_many_are_waiting(slow_hasher: Argon2PasswordHasher) -> None:
    outcomes = await asyncio.gather(*(slow_hasher.check(RIGHT, None) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(outcome, Unavailable) for outcome in outcomes) == 3
    assert await slow_hasher.check(RIGHT, None) == PasswordCheck(is_right=False)


async def test_turns_nobody_away_after_some_gave_up(slow_hasher: Argon2PasswordHasher) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await slow_hasher.hash(RIGHT)

    assert (await slow_hasher.hash(RIGHT)).startswith("$argon2id$")


@pytest.mark.linux
@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (64, 4)])
async def test_a_process_hashes_in_as_many_threads_as_it_has_cores_to_run_on_up_to_four(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    others = set(threading.enumerate())
    container = make_container(settings_for("memory:"))

    hasher = await container.get(PasswordHasher)
    await asyncio.gather(*(hasher.hash(RIGHT) for _ in range(8)))
    hashing = [thread for thread in set(threading.enumerate()) - others if thread.name.startswith("argon2")]
    await container.close()

    assert len(hashing) == threads
