"""Who is asking, for handlers: one that asks the container for an `Actor` is private, one that does not is public."""

import re
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qsl

from dishka import Provider, from_context, provide
from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.types import HTTPScope

from application.auth.identify import Identify
from domain.access import Actor, Client, PermissionDenied
from domain.errors import FieldError, Invalid, Unauthenticated
from entrypoints.http.requests import header_values
from entrypoints.lifetimes import Lifetime

AnyRequest = Request[Any, Any, Any]

USER_AGENT_MAX = 400
CREDENTIALS_PATH = "/api/v1/auth/"
"""Where sessions and credentials are, which no API key reaches."""


class IdentityProvider(Provider):
    """What a request says about its sender."""

    scope = Lifetime.REQUEST

    http_scope = from_context(HTTPScope)

    @provide
    async def actor(self, http_scope: HTTPScope, identify: Identify, client: Client) -> Actor:
        return await identify(_credential_of(http_scope), client=client)

    @provide
    def client(self, http_scope: HTTPScope) -> Client:
        agent = _last(http_scope, b"user-agent")
        if not agent.isprintable():
            agent = "".join(c for c in agent if c.isprintable())
        return Client(ip=http_scope["state"]["client_ip"], user_agent=agent[:USER_AGENT_MAX] or None)


async def while_welcome[Chunk](
    chunks: AsyncIterable[Chunk], request: AnyRequest, actor: Actor, identify: Identify
) -> AsyncGenerator[Chunk]:
    """Pass on what comes slowly, for as long as its sender may send it. Raises what identifying the sender raises."""
    credential = _credential_of(request.scope)
    async for chunk in chunks:
        await identify.again(actor, credential)
        yield chunk


def _credential_of(scope: HTTPScope) -> str:
    scheme, _, credential = _last(scope, b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise Unauthenticated
    return credential.strip()


def _last(scope: HTTPScope, name: bytes) -> str:
    values = header_values(scope, name)
    return values[-1] if values else ""


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Every control character but tab and line ends."""


def is_private(handler: BaseRouteHandler) -> bool:
    """Tell whether a handler asks the container for an actor."""
    injected = getattr(handler.fn, "__dishka_orig_func__", None)
    if injected is None:
        return False
    hints = get_type_hints(injected, include_extras=True)
    return any(Actor in get_args(hint) for hint in hints.values())


async def look_first(request: AnyRequest) -> None:
    """Authenticate before anything of the request is read: a stranger learns nothing about what a body should be.

    Then refuse query parameters that are unknown, said twice, or not text: none is silently ignored. Both are done
    before each request rather than by guards, for each of which Litestar would copy the handler.
    """
    handler = request.route_handler
    if handler.opt["private"]:
        actor: Actor = await request.scope["state"]["dishka_container"].get(Actor)
        # The use cases there refuse a key too: none has the permission. This also spares it the rules of their bodies.
        if actor.api_key_id is not None and request.scope["path_template"].startswith(CREDENTIALS_PATH):
            raise PermissionDenied("An API key can't do this; sign in.")
    if request.scope["query_string"]:
        _refuse_odd_query(request.scope["query_string"], handler.opt["query_parameters"])


def _refuse_odd_query(query: bytes, known: frozenset[str]) -> None:
    seen: set[str] = set()
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise Invalid(FieldError(f"query/{name}", "is not a known parameter"))
        if name in seen:
            raise Invalid(FieldError(f"query/{name}", "must be given once"))
        if _CONTROL.search(value):
            raise Invalid(FieldError(f"query/{name}", "must not contain control characters"))
        seen.add(name)
