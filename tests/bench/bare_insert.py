"""The limit of SQLite: a program that adds items to a file, one transaction each and as durably as Portico does.

Its arguments are the file and the number of seconds; it prints how many items it added a second.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

import aiosqlite

from tests.bench.databases import SPREAD

_ADD = """
    INSERT INTO items (id, owner_id, title, description, tags, created_at, updated_at, version, search_text)
    VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)
"""


async def add_for(path: str, seconds: float) -> float:
    """Return how many items a second were added."""
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=FULL")
        ((owner_id,),) = await connection.execute_fetchall("SELECT id FROM users LIMIT 1")
        title, description = SPREAD.texts(0)
        added, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            now = str(datetime.now(UTC).replace(tzinfo=None))
            row = (uuid4().hex, owner_id, title, description, '["bench"]', now, now, f"{title} {description}".lower())
            await connection.execute(_ADD, row)
            added += 1
        return added / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.stdout.write(str(asyncio.run(add_for(sys.argv[1], float(sys.argv[2])))))
