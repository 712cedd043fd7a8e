"""A client of the API for tests: the whole application, without a server."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from dishka import AsyncContainer

from application.auth.issue import TokenIssuer
from application.auth.opening import SessionOpener
from application.auth.registration import SignUp
from application.auth.sign_in import SignIn
from application.ports import Clock, UnitOfWork
from application.users.ports import UserRepository
from domain.access import Client, Role
from entrypoints.http.app import Application
from entrypoints.settings import Settings
from tests.builders import PASSWORD, a_user, an_email
from tests.containers import PASSWORD_HASH, Override, container_for
from tests.units import use

PEER = "203.0.113.9"
"""Where requests seem to come from."""
AGENT = "Browser/1"
"""What they seem to be sent by."""

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For a client that speaks to this machine: to load whom the system trusts takes longer than most tests."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account, signed in."""

    id: str
    email: str
    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """What proves who they are."""
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}


class HttpClient:
    """Sends requests straight to the application.

    A client of httpx keeps cookies, follows redirects and pools connections; that costs as much as what is tested.
    """

    def __init__(self, app: Application, ip: str = PEER) -> None:
        self.ip = ip
        self._transport = httpx.ASGITransport(app=app, client=(ip, 50_000))  # type: ignore[arg-type] # typed otherwise

    async def request(
        self, method: str, path: str, headers: Mapping[Any, Any] | Sequence[tuple[Any, Any]] = (), **options: Any
    ) -> httpx.Response:
        """Send a request. What is not a mapping of headers may have several of one name."""
        request = httpx.Request(method, f"http://testserver{path}", headers=httpx.Headers(headers), **options)
        request.headers.setdefault("User-Agent", AGENT)
        response = await self._transport.handle_async_request(request)
        response.request = request
        await response.aread()
        return response


class Api:
    """Calls the API below `/api/v1`; a full path such as `/health` is one that starts with two slashes."""

    def __init__(self, client: HttpClient, app: Application) -> None:
        self.client = client
        self.app = app

    async def call(self, method: str, path: str, person: Person | None = None, **options: Any) -> httpx.Response:
        """Send a request, as the person if there is one."""
        headers = (person.headers if person else {}) | dict(options.pop("headers", {}))
        url = path[1:] if path.startswith("//") else f"/api/v1{path}"
        return await self.client.request(method, url, headers=headers, **options)

    async def get(self, path: str, person: Person | None = None, **options: Any) -> httpx.Response:
        """Send a GET request."""
        return await self.call("GET", path, person, **options)

    async def post(self, path: str, person: Person | None = None, **options: Any) -> httpx.Response:
        """Send a POST request."""
        return await self.call("POST", path, person, **options)

    async def patch(self, path: str, person: Person | None = None, **options: Any) -> httpx.Response:
        """Send a PATCH request."""
        return await self.call("PATCH", path, person, **options)

    async def delete(self, path: str, person: Person | None = None, **options: Any) -> httpx.Response:
        """Send a DELETE request."""
        return await self.call("DELETE", path, person, **options)

    async def send_raw(
        self,
        method: str,
        path: str,
        person: Person,
        *,
        headers: Mapping[str, str],
        messages: Iterable[Any],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Send a request message by message, as a server would, then vanish; raises what `send` makes of the answer."""
        sent = iter([*messages, {"type": "http.disconnect"}])
        full_path = f"/api/v1{path}"
        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": full_path,
            "raw_path": full_path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [
                (name.lower().encode(), value.encode()) for name, value in {**person.headers, **headers}.items()
            ],
            "client": (PEER, 50_000),
            "server": ("testserver", 80),
        }

        async def receive() -> Any:
            return next(sent)

        await self.app(scope, receive, send)

    async def login(self, email: str, password: str = PASSWORD) -> httpx.Response:
        """Send a login."""
        return await self.post("/auth/login", json={"email": email, "password": password})

    async def a_person(self, email: str | None = None, *, role: Role = Role.MEMBER) -> Person:
        """Store somebody who is signed in from here. No requests are sent: most tests are about what follows."""
        client = Client(ip=self.client.ip, user_agent=AGENT)
        async with self.container() as scope:
            now = (await scope.get(Clock)).now()
            user = a_user(email=email, password_hash=PASSWORD_HASH, role=role, created_at=now)
            await (await scope.get(UserRepository)).add(user)
            session = await (await scope.get(SessionOpener)).open(user.id, client=client)
            await (await scope.get(UnitOfWork)).commit()
            tokens = await (await scope.get(TokenIssuer)).issue(session, now=now)
        return Person(id=str(user.id), email=user.email, tokens=msgspec.to_builtins(tokens))

    async def a_new_person(self, email: str | None = None) -> Person:
        """Sign somebody up and in as requests would, with a letter and events; they are not sent."""
        email = email or an_email()
        client = Client(ip=self.client.ip, user_agent=AGENT)
        account = await use(self.container, SignUp)(email=email, password=PASSWORD, client=client)
        assert account is not None, "only an open sign-up tells whom it made"
        tokens = await use(self.container, SignIn)(email=email, password=PASSWORD, client=client)
        return Person(id=str(account.id), email=email, tokens=msgspec.to_builtins(tokens))

    @property
    def container(self) -> AsyncContainer:
        """What the application is made of."""
        return self.app.container

    async def an_admin(self, email: str | None = None) -> Person:
        """Store an administrator who is signed in from here."""
        return await self.a_person(email, role=Role.ADMIN)


@asynccontextmanager
async def serve(settings: Settings, *overrides: Override, works: bool = False) -> AsyncGenerator[Api]:
    """Run the application, started and stopped as a server would."""
    app = Application(container_for(settings, *overrides), settings, works=works)
    async with lifespan(app):
        yield Api(HttpClient(app), app)


@asynccontextmanager
async def lifespan(app: Application) -> AsyncGenerator[None]:
    """Start and stop the application in a task of its own: fixtures may end in another than they began in."""
    to_app: asyncio.Queue[Any] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()

    async def expect(message_type: str) -> None:
        message = await asyncio.wait_for(from_app.get(), timeout=10)
        assert message["type"] == message_type, message

    scope: Any = {"type": "lifespan", "state": {}}
    running = asyncio.create_task(app(scope, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    await expect("lifespan.startup.complete")
    try:
        yield
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await expect("lifespan.shutdown.complete")
        await running


async def certainly(call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Send a request again for as long as too many wait for a connection: such an answer says that nothing was done."""
    while (answer := await call()).status_code == 503:
        pass
    return answer


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is a problem of this status and code (RFC 9457), and return it."""
    body: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json", response.text
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), response.text
    assert body["type"] == f"urn:portico:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def pointers(response: httpx.Response) -> list[str]:
    """Assert that the answer is 422, and return where it says that something is wrong."""
    return [error["pointer"] for error in problem(response, 422, "validation_failed")["errors"]]
