"""What clients say: the requests of each kind, the same to Portico and to the limit."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.security.refresh_tokens import HmacRefreshTokens
from adapters.security.secrets import SecretKey
from domain.ids import SessionId
from tests.bench.databases import PASSWORD, USERS, Data, an_id, email
from tests.bench.limit import refresh_token
from tests.bench.load import Chain, Script
from tests.bench.servers import API, SECRET_KEY, Server

LINKS = 64
"""At hand for each chain, once to warm up and once to measure: twice as many as there are connections."""

READ_FROM, READ_TO = 2 * LINKS, 1_000
"""Which items of the first user are read: those that no chain changes."""


class Clients:
    """The first user, signed in; for refreshing and signing in, others too."""

    def __init__(self, server: Server, data: Data, *, is_limit: bool) -> None:
        login = {"email": email(0), "password": PASSWORD}
        self.token: str = msgspec.json.decode(server.call("POST", f"{API}/auth/login", body=login))["access_token"]
        self._server = server
        self._data = data
        self._is_limit = is_limit

    def script(self, schedule: Sequence[str], *, part: int) -> Script:
        """Return what clients say to warm up (part 0) or to be measured (part 1)."""
        chains = {name: chain(part) for name, chain in (("patch", self._patch), ("refresh", self._refresh))}
        names = set(schedule)
        return Script(
            schedule,
            {name: self._fixed(name) for name in names - chains.keys()},
            {name: chain for name, chain in chains.items() if name in names},
        )

    def _fixed(self, name: str) -> list[str]:  # noqa: PLR0911 - one for each kind
        match name.split():
            case ["item"]:
                owned = [self._data.of_first_user(at) for at in range(READ_FROM, READ_TO)]
                return [self._request("GET", f"{API}/items/{item}") for item in owned]
            case ["page"]:
                return [self._request("GET", f"{API}/items?limit=50")]
            case ["page", depth]:
                return [self._request("GET", self._path_of_page(int(depth)))]
            case ["search"]:
                words = [self._data.word(number) for number in range(100)]
                return [self._request("GET", f"{API}/items?limit=50&q={word}") for word in words]
            case ["create"]:
                title, description = self._data.texts(0)
                new = {"title": title, "description": description, "tags": ["bench"]}
                return [self._request("POST", f"{API}/items", new)]
            case ["me"]:
                return [self._request("GET", f"{API}/users/me")]
            case ["health"]:
                return [_head("GET", "/health") + "\r\n"]
            case ["login"]:
                logins = [{"email": email(number), "password": PASSWORD} for number in range(USERS)]
                return [self._request("POST", f"{API}/auth/login", login) for login in logins]
            case _:
                raise ValueError(name)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        content = "" if body is None else json.dumps(body)
        length = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(content))}
        return f"{_head(method, path, {'Authorization': f'Bearer {self.token}'} | length)}\r\n{content}"

    def _path_of_page(self, depth: int) -> str:
        first = at = f"{API}/items?limit=50"
        for _ in range(depth - 1):
            page = msgspec.json.decode(self._server.call("GET", at, token=self.token))
            at = f"{first}&cursor={page['next_cursor']}"
        return at

    def _patch(self, part: int) -> Chain:
        headers = {"Authorization": f"Bearer {self.token}", "If-Match": '"@2@"', "Content-Type": "application/json"}
        items = [self._data.of_first_user(at) for at in range(part * LINKS, (part + 1) * LINKS)]
        return Chain(
            _head("PATCH", f"{API}/items/@1@", headers),
            '{"title": "Another title"}',
            # What an item says, not an account: the ids are the same.
            '^{"id":"([^"]+)","owner_id".*"version":(%d+)}$',
            [[str(item), "1"] for item in items],
        )

    def _refresh(self, part: int) -> Chain:
        issue = refresh_token if self._is_limit else HmacRefreshTokens(SecretKey(SECRET_KEY.encode())).issue
        sessions = [SessionId(an_id(number)) for number in range(part * LINKS, (part + 1) * LINKS)]
        return Chain(
            _head("POST", f"{API}/auth/refresh", {"Content-Type": "application/json"}),
            '{"refresh_token": "@1@"}',
            '"refresh_token":"([^"]+)"',
            [[issue(session, 1)] for session in sessions],
            takes_all=True,
        )


def _head(method: str, path: str, headers: dict[str, str] | None = None) -> str:
    lines = [f"{name}: {value}" for name, value in ({"Host": "127.0.0.1"} | (headers or {})).items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, ""])
