"""The limit: a bare ASGI application, raw asyncpg with prepared statements, msgspec, a bearer check without a look-up.

It gives Portico's answers from Portico's tables, does what can be seen of each request and nothing else; so nothing
that is written in Python with these parts can be much faster. It knows how rare what is sought is, as Portico does not;
a file it reads as a whole, whatever memory that takes, and its CSV is not safe for spreadsheets. Granian runs it, with
LIMIT_DATABASE_URL.
"""

import asyncio
import base64
import csv
import hmac
import io
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import argon2
import asyncpg
import msgspec

CONNECTIONS = 16
BATCH = 1_000
LIFETIME = 3600
KEY = b"it has no secrets; it shows what checking a signature costs"

type Send = Callable[[dict[str, Any]], Awaitable[None]]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Statements = dict[str, Callable[..., Awaitable[Any]]]
type Answer = tuple[int, bytes]

_ITEM = ["id", "owner_id", "title", "description", "tags", "created_at", "updated_at", "version"]
_USER = ["id", "email", "full_name", "role", "is_active", "email_verified", "created_at", "updated_at", "version"]
_TOKENS = ["access_token", "expires_in", "refresh_token", "refresh_expires_in", "session_id", "token_type"]
Item, User, Tokens, Page = (
    msgspec.defstruct(name, fields)
    for name, fields in (("Item", _ITEM), ("User", _USER), ("Tokens", _TOKENS), ("Page", ["data", "next_cursor"]))
)


class NewItem(msgspec.Struct, forbid_unknown_fields=True):
    """What an item is made of, or changed to."""

    title: str
    description: str | None = None
    tags: list[str] = []


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """Who signs in."""

    email: str
    password: str


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    """The token to spend."""

    refresh_token: str


class Claims(msgspec.Struct):
    """What an access token says."""

    sub: str
    exp: int


encode = msgspec.json.Encoder().encode
_line_by_line = msgspec.json.Encoder().encode_lines
_new_item = msgspec.json.Decoder(NewItem).decode
_new_items = msgspec.json.Decoder(NewItem).decode_lines
_login = msgspec.json.Decoder(Login).decode
_refresh = msgspec.json.Decoder(Refresh).decode
_claims = msgspec.json.Decoder(Claims).decode

_SHOWN = ", ".join(_ITEM).replace("id", "id::text")
_OWN = f"SELECT {_SHOWN} FROM items WHERE owner_id = $1"  # noqa: S608 - constants, here and below
_NEWEST = "ORDER BY created_at DESC, id DESC LIMIT $2"
_FOUND = f"{_OWN} AND search_text LIKE $3"
_ADD = "INSERT INTO items (id, owner_id, title, description, tags, created_at, updated_at, version, search_text)"
STATEMENTS = {
    "item": f"{_OWN} AND id = $2",
    "first": f"{_OWN} {_NEWEST}",
    "after": f"{_OWN} AND (created_at, id) < ($3, $4) {_NEWEST}",
    # Good for rare words, as are asked for, and bad for others: all that match are read.
    "search": f"WITH found AS MATERIALIZED ({_FOUND}) SELECT * FROM found {_NEWEST}",  # noqa: S608
    "add": f"{_ADD} VALUES (gen_random_uuid(), $1, $2::text, $3::text, $4, now(), now(), 1,"
    f" lower($2::text || $3::text)) RETURNING {_SHOWN}",
    "edit": f"UPDATE items SET title = $4::text, search_text = lower($4::text), updated_at = now(), version = $3 + 1"  # noqa: S608
    f" WHERE owner_id = $1 AND id = $2 AND version = $3 RETURNING {_SHOWN}",
    "me": f"SELECT {', '.join(_USER).replace('id', 'id::text', 1)} FROM users WHERE id = $1",  # noqa: S608
    "login": "SELECT id, password_hash FROM users WHERE email = $1 AND is_active",
    "open": "INSERT INTO sessions (id, user_id, counter, created_at, last_used_at, idle_expires_at, expires_at)"
    " VALUES (gen_random_uuid(), $1, 1, now(), now(), now() + '14 days', now() + '30 days') RETURNING id",
    "rotate": "UPDATE sessions SET counter = counter + 1, last_used_at = now(), idle_expires_at = now() + '14 days'"
    " WHERE id = $1 AND counter = $2 AND revoked_at IS NULL AND idle_expires_at > now() RETURNING user_id",
}


class Database:
    """Connections that have all statements prepared."""

    def __init__(self) -> None:
        self._free: deque[Statements] = deque()
        self._waiting: deque[asyncio.Future[Statements]] = deque()

    async def open(self, url: str) -> None:
        """Connect, and prepare all."""
        for _ in range(CONNECTIONS):
            connection = await asyncpg.connect(url)
            prepared = {name: (await connection.prepare(sql)).fetch for name, sql in STATEMENTS.items()}
            copy = partial(connection.copy_records_to_table, "items", columns=[*_ITEM, "search_text"])
            self._free.append(prepared | {"copy": copy})

    async def fetch(self, name: str, *arguments: object, **rows: object) -> Any:
        """Return the rows of a statement, or copy rows to the items: one round trip."""
        if self._free:
            statements = self._free.pop()
        else:
            self._waiting.append(asyncio.get_running_loop().create_future())
            statements = await self._waiting[-1]
        try:
            return await statements[name](*arguments, **rows)
        finally:
            if self._waiting:
                self._waiting.popleft().set_result(statements)
            else:
                self._free.append(statements)


database = Database()
hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
threads = ThreadPoolExecutor(2)


# --- tokens


def _text(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_HEADER = _text(b'{"alg":"HS256","typ":"JWT"}')


def _tokens(user_id: UUID, session_id: UUID, counter: int) -> bytes:
    claims = _HEADER + b"." + _text(encode(Claims(str(user_id), int(time.time()) + LIFETIME)))
    access = claims + b"." + _text(hmac.digest(KEY, claims, "sha256"))
    refresh = refresh_token(session_id, counter)
    return encode(Tokens(access.decode(), LIFETIME, refresh, LIFETIME, session_id, "Bearer"))


def refresh_token(session_id: UUID, counter: int) -> str:
    """Return the refresh token of a session: its own proof, as Portico's is."""
    body = f"{session_id.hex}.{counter}"
    return f"{body}.{_text(hmac.digest(KEY, body.encode(), 'sha256')).decode()}"


def _user_of(headers: list[tuple[bytes, bytes]]) -> UUID | None:
    body, _, signature = _header(headers, b"authorization").removeprefix(b"Bearer ").rpartition(b".")
    header, _, payload = body.partition(b".")
    if header != _HEADER or not hmac.compare_digest(_text(hmac.digest(KEY, body, "sha256")), signature):
        return None
    claims = _claims(base64.urlsafe_b64decode(payload + b"=="))
    return UUID(claims.sub) if claims.exp > time.time() else None


def _header(headers: list[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")


# --- HTTP


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve a request, or open the database."""
    if scope["type"] == "lifespan":
        await receive()
        await database.open(os.environ["LIMIT_DATABASE_URL"])
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"].endswith("/export"):
        await _export(scope, send)
        return
    status, body = await _answer(scope, receive)
    content = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": content})
    await send({"type": "http.response.body", "body": body})


async def _answer(scope: dict[str, Any], receive: Receive) -> Answer:  # noqa: PLR0911 - one for each path
    path, headers = scope["path"].removeprefix("/api/v1"), scope["headers"]
    if path == "/health":
        return 200, b'{"status":"ok"}'
    if path == "/auth/login":
        return await _sign_in(_login(await _body(receive)))
    if path == "/auth/refresh":
        return await _rotate(_refresh(await _body(receive)).refresh_token)
    user_id = _user_of(headers)
    if user_id is None:
        return 401, b"{}"
    if path == "/users/me":
        return 200, encode(User(*(await database.fetch("me", user_id))[0]))
    if path == "/items/import":
        return await _import(user_id, scope, await _body(receive))
    if path == "/items":
        is_new = scope["method"] == "POST"
        return await (_add(user_id, _new_item(await _body(receive))) if is_new else _list(user_id, scope))
    arguments: list[Any] = [user_id, UUID(path.removeprefix("/items/"))]
    if scope["method"] == "PATCH":
        arguments += [int(_header(headers, b"if-match").strip(b'"')), _new_item(await _body(receive)).title]
    rows = await database.fetch("edit" if scope["method"] == "PATCH" else "item", *arguments)
    return (200, encode(Item(*rows[0]))) if rows else (404, b"{}")


async def _body(receive: Receive) -> bytes:
    parts, goes_on = [], True
    while goes_on:
        message = await receive()
        parts.append(message["body"])
        goes_on = message.get("more_body", False)
    return b"".join(parts)


async def _sign_in(login: Login) -> Answer:
    ((user_id, password_hash),) = await database.fetch("login", login.email)
    await asyncio.get_running_loop().run_in_executor(threads, hasher.verify, password_hash, login.password)
    ((session_id,),) = await database.fetch("open", user_id)
    return 200, _tokens(user_id, session_id, 1)


async def _rotate(token: str) -> Answer:
    session, counter, _ = token.split(".")
    session_id, spent = UUID(session), int(counter)
    is_ours = hmac.compare_digest(refresh_token(session_id, spent), token)
    rows = await database.fetch("rotate", session_id, spent) if is_ours else []
    return (200, _tokens(rows[0][0], session_id, spent + 1)) if rows else (401, b"{}")


async def _add(user_id: UUID, new: NewItem) -> Answer:
    rows = await database.fetch("add", user_id, new.title, new.description, new.tags)
    return 201, encode(Item(*rows[0]))


async def _list(user_id: UUID, scope: dict[str, Any]) -> Answer:
    query = _query(scope)
    limit = min(int(query.get("limit", "50")), 100)
    if "q" in query:
        rows = await database.fetch("search", user_id, limit, f"%{query['q']}%")
    elif "cursor" in query:
        at, _, last = base64.urlsafe_b64decode(query["cursor"] + "==").decode().partition("|")
        rows = await database.fetch("after", user_id, limit, datetime.fromisoformat(at), UUID(last))
    else:
        rows = await database.fetch("first", user_id, limit)
    cursor = None
    if len(rows) == limit:
        cursor = _text(f"{rows[-1]['created_at'].isoformat()}|{rows[-1]['id']}".encode()).decode()
    return 200, encode(Page([Item(*row) for row in rows], cursor))


def _query(scope: dict[str, Any]) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode()))


async def _import(user_id: UUID, scope: dict[str, Any], file: bytes) -> Answer:
    now, first = datetime.now(UTC), time.time_ns() << 64
    rows = [
        (UUID(int=first + at), user_id, new.title, new.description, new.tags, now, now, 1, _searched(new))
        for at, new in enumerate(_rows_of(file, is_csv=_header(scope["headers"], b"content-type") == b"text/csv"))
    ]
    # Each connection is a process there, which works longer on the indexes than this one does on the rows.
    await asyncio.gather(*(database.fetch("copy", records=rows[at::2]) for at in range(2)))
    return 200, encode({"created": len(rows)})


def _rows_of(file: bytes, *, is_csv: bool) -> list[NewItem]:
    if not is_csv:
        return _new_items(file)
    return [NewItem(title, text, [tag]) for title, text, tag in islice(csv.reader(io.StringIO(file.decode())), 1, None)]


def _searched(new: NewItem) -> str:
    return f"{new.title}{new.description}".lower()


async def _export(scope: dict[str, Any], send: Send) -> None:
    user_id, is_csv = _user_of(scope["headers"]), _query(scope)["format"] == "csv"
    rows = await database.fetch("first", user_id, BATCH)
    content = [(b"content-type", b"text/csv" if is_csv else b"application/x-ndjson")]
    await send({"type": "http.response.start", "status": 200, "headers": content})
    while rows:
        await send({"type": "http.response.body", "body": _lines(rows, is_csv=is_csv), "more_body": True})
        rows = await database.fetch("after", user_id, BATCH, rows[-1]["created_at"], UUID(rows[-1]["id"]))
    await send({"type": "http.response.body", "body": b""})


def _lines(rows: list[Any], *, is_csv: bool) -> bytes:
    if not is_csv:
        return _line_by_line(Item(*row) for row in rows)
    file = io.StringIO()
    csv.writer(file).writerows((*row[:4], encode(row["tags"]).decode(), *row[5:]) for row in rows)
    return file.getvalue().encode()
