"""What is measured on: a throw-away PostgreSQL with its default durability, files of SQLite, the same rows in all."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import argon2
import asyncpg

from domain.text import fold
from tests.bench.machine import cpu_of, free_port
from tests.bench.servers import PATIENCE, environment, portico
from tests.cluster import find_programs, make_cluster

USERS = 1_000
PASSWORD = "correct horse battery staple"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EACH_OWNED = 100
"""Of so many items the first user owns one, where items are spread over all."""
WORDS_REPEAT = 20
"""So many items have a word in common."""

_SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvwz" for vowel in "aeiou"]
_USER = ("id", "email", "password_hash", "role", "is_active", "email_verified", "created_at", "updated_at", "version")
_SESSION = ("id", "user_id", "counter", "created_at", "last_used_at", "idle_expires_at", "expires_at")
_ITEM = ("id", "owner_id", "title", "description", "tags", "created_at", "updated_at", "version", "search_text")

type Row = tuple[Any, ...]


class Storage(StrEnum):
    """Where rows are kept."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


@dataclass(frozen=True, slots=True)
class Data:
    """Users with a session each, and items: all of the first user, or spread over everybody."""

    items: int
    is_spread: bool = False

    def of_first_user(self, at: int) -> UUID:
        """Return the id of an item of the first user."""
        return an_id(at * EACH_OWNED if self.is_spread else at)

    def word(self, number: int) -> str:
        """Return a word that few items have in their description."""
        rest, word = number % (self.items // WORDS_REPEAT) * 7919, ""
        for _ in range(5):
            rest, at = divmod(rest, len(_SYLLABLES))
            word += _SYLLABLES[at]
        return word

    def texts(self, number: int) -> tuple[str, str]:
        """Return the title and the description of an item."""
        said = "A plain description of some length, as a person would type it into a form field"
        return f"Item {number:07} of the set", f"{said}, with {self.word(number)} in it, number {number:07}"

    def tables(self) -> list[tuple[str, tuple[str, ...], Iterator[Row]]]:
        """Return the tables, their columns and their rows."""
        return [
            ("users", _USER, self._users()),
            ("sessions", _SESSION, self._sessions()),
            ("items", _ITEM, self._items()),
        ]

    def _users(self) -> Iterator[Row]:
        password_hash = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(PASSWORD)
        for number in range(USERS):
            yield (an_id(number), email(number), password_hash, "member", True, True, EPOCH, EPOCH, 1)

    def _sessions(self) -> Iterator[Row]:
        now = datetime.now(UTC)
        for number in range(USERS):
            yield (an_id(number), an_id(number), 1, now, now, now + timedelta(days=14), now + timedelta(days=30))

    def _items(self) -> Iterator[Row]:
        for number in range(self.items):
            owner = 1 + number % (USERS - 1) if self.is_spread and number % EACH_OWNED else 0
            title, description = self.texts(number)
            at, folded = EPOCH + timedelta(seconds=number), fold(f"{title}\x1f{description}")
            yield (an_id(number), an_id(owner), title, description, [f"tag {number % 50}"], at, at, 1, folded)


SPREAD = Data(100_000, is_spread=True)
"""One of the 1,000 users owns 1,000 items, the others some hundred each."""


def an_id(number: int) -> UUID:
    """Return the UUIDv7 of this number: of the second of the epoch that it counts."""
    milliseconds = int(EPOCH.timestamp() + number) * 1000
    noise = number * 0x9E3779B97F4A7C15 & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | noise)


def email(number: int) -> str:
    """Return the address of a user."""
    return f"user{number}@example.org"


def path_of(url: str) -> Path:
    """Return the file that the URL of a SQLite database names."""
    return Path(url.removeprefix("sqlite:///"))


class Databases:
    """Databases in a folder, each filled when it is first asked for, and PostgreSQL for as long as it is `running`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._urls: dict[tuple[Storage, Data], str] = {}
        self._numbers = count()
        self._process: subprocess.Popen[bytes]
        self._server: str

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run PostgreSQL, with all that its configuration says by default."""
        programs, port = find_programs(), free_port()
        assert programs is not None
        programs, user = make_cluster(self.folder, programs)
        options = ["-D", "data", "-k", str(self.folder), "-h", "127.0.0.1", "-p", str(port)]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - what was found
                [str(programs / "postgres"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"LC_ALL": "C"},
                cwd=self.folder,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                start_new_session=True,
            )
        self._server = f"postgresql://portico@127.0.0.1:{port}"
        try:
            yield
        finally:
            # A fast shutdown, whoever is connected.
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    @property
    def pid(self) -> int:
        """PostgreSQL's."""
        return self._process.pid

    def cpu(self) -> float:
        """Return the seconds that PostgreSQL has computed."""
        return cpu_of(self._process.pid)

    @contextmanager
    def opened(self, storage: Storage, data: Data, *, is_copied: bool = False) -> Iterator[str]:
        """Yield the URL of a database with the data, or of a copy for writing, which goes afterwards.

        What was copied is on the disk by then, so that nobody has to wait for it while being measured.
        """
        if (storage, data) not in self._urls:
            self._urls[storage, data] = self._filled(storage, data)
        original = self._urls[storage, data]
        if not is_copied:
            yield original
        elif storage is Storage.SQLITE:
            url = self._new_url(storage)
            shutil.copyfile(path_of(original), path_of(url))
            os.sync()
            yield url
            for path in self.folder.glob(f"{path_of(url).name}*"):
                path.unlink()
        else:
            url = self._new_url(storage)
            name = url.rpartition("/")[2]
            self._execute(f"CREATE DATABASE {name} TEMPLATE {original.rpartition('/')[2]}", "CHECKPOINT")
            yield url
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _new_url(self, storage: Storage) -> str:
        name = f"bench_{next(self._numbers)}"
        return f"{self._server}/{name}" if storage is Storage.POSTGRESQL else f"sqlite:///{self.folder}/{name}.db"

    def _filled(self, storage: Storage, data: Data) -> str:
        url = self._new_url(storage)
        if storage is Storage.POSTGRESQL:
            self._execute(f"CREATE DATABASE {url.rpartition('/')[2]}")
        upgrade, environ = portico("database", "upgrade"), environment(self.folder, url)
        subprocess.run(upgrade, check=True, stderr=subprocess.DEVNULL, env=environ, cwd=self.folder)  # noqa: S603 - ours
        if storage is Storage.POSTGRESQL:
            asyncio.run(_fill_postgresql(url, data))
        else:
            _fill_sqlite(path_of(url), data)
        return url

    def _execute(self, *statements: str) -> None:
        async def execute() -> None:
            connection = await _connected(f"{self._server}/postgres")
            for statement in statements:
                await connection.execute(statement)
            await connection.close()

        asyncio.run(execute())


async def _connected(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                return await asyncpg.connect(url)
            await asyncio.sleep(0.1)


async def _fill_postgresql(url: str, data: Data) -> None:
    connection = await _connected(url)
    for table, columns, rows in data.tables():
        await connection.copy_records_to_table(table, records=rows, columns=columns)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _fill_sqlite(path: Path, data: Data) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    for table, columns, rows in data.tables():
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        connection.executemany(insert, (tuple(map(_as_sqlite, row)) for row in rows))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _as_sqlite(value: Any) -> Any:
    """Return a value as Portico stores it there."""
    match value:
        case UUID():
            return value.hex
        case datetime():
            return value.strftime("%F %T.%f")
        case list():
            return json.dumps(value)
        case _:
            return value
