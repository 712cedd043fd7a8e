"""argon2id through argon2-cffi, in threads of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import argon2
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

from application.auth.ports import PasswordCheck, PasswordHasher
from domain.auth.password import Password
from domain.errors import Unavailable

MEMORY_KIB = 19_456
TIME_COST = 2
PARALLELISM = 1
"""OWASP Password Storage, and the least that ASVS 5.0 Appendix C accepts."""

MEMORY_KIB_MAX = 131_072
TIME_COST_MAX = 10
"""A stored hash that costs more is not computed: it would be an attack by way of an import (ory/kratos)."""

WAITING_MAX = 128
"""More than these waiting are told to come back: at 39 hashes/s they would wait for longer than people do."""


class Argon2PasswordHasher(PasswordHasher):
    """Hashes in a few threads (argon2 lets go of the interpreter's lock), so that the event loop stays free.

    More threads than cores only cost memory: 32 of them were slower than 4 and took 900 MiB.
    """

    def __init__(
        self,
        *,
        threads: int,
        memory_kib: int = MEMORY_KIB,
        time_cost: int = TIME_COST,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=PARALLELISM)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._waiting = 0
        self._waiting_max = waiting_max
        # Compared with when there is no account, so that it costs what an account costs. No password has this hash.
        self._nobody = f"$argon2id$v=19$m={memory_kib},t={time_cost},p={PARALLELISM}${'A' * 22}${'A' * 43}"

    async def hash(self, password: Password) -> str:
        return await self._run(self._hash, password)

    async def check(self, password: Password, password_hash: str | None) -> PasswordCheck:
        if password_hash is None or not _is_affordable(password_hash):
            await self._run(self._verify, self._nobody, password)
            return PasswordCheck(is_right=False)
        if not await self._run(self._verify, password_hash, password):
            return PasswordCheck(is_right=False)
        return PasswordCheck(is_right=True, is_outdated=self._hasher.check_needs_rehash(password_hash))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _hash(self, password: str) -> str:
        try:
            return self._hasher.hash(_bytes(password))
        except HashingError as error:
            raise Unavailable from error

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _bytes(password))
        except (VerifyMismatchError, InvalidHashError):
            return False
        except VerificationError as error:
            # There was no memory for it.
            raise Unavailable from error

    async def _run[*Arguments, Result](self, work: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        if self._waiting >= self._waiting_max:
            raise Unavailable
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *arguments))
        finally:
            self._waiting -= 1


def _bytes(password: str) -> bytes:
    # No keyboard types a lone surrogate, but JSON and command lines can carry one: it is wrong, not a bug.
    return password.encode("utf-8", "surrogatepass")


def _is_affordable(password_hash: str) -> bool:
    try:
        parameters = argon2.extract_parameters(password_hash)
    except InvalidHashError:
        return False
    return parameters.memory_cost <= MEMORY_KIB_MAX and parameters.time_cost <= TIME_COST_MAX
