"""The HTTP application."""

import hmac
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from http import HTTPStatus
from typing import Any

from dishka import AsyncContainer, Provider, provide
from litestar import HttpMethod, Litestar, Response, Router
from litestar.config.cors import CORSConfig
from litestar.routes import HTTPRoute
from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Scope

from application.ports import StandingListener
from entrypoints.background import Housekeeping, in_background
from entrypoints.container import make_container
from entrypoints.http.account_pages import account_pages
from entrypoints.http.answers import Answer
from entrypoints.http.api_keys import ApiKeyController
from entrypoints.http.audit import AuditController
from entrypoints.http.auth import AuthController, WellKnownController
from entrypoints.http.credentials import EmailChangeController, EmailController, PasswordController
from entrypoints.http.docs import docs_handlers
from entrypoints.http.documentation import handlers_of
from entrypoints.http.idempotency import FingerprintKey, Idempotency
from entrypoints.http.identity import IdentityProvider, is_private, look_first
from entrypoints.http.items import ItemController
from entrypoints.http.middleware import Edge, Headers
from entrypoints.http.oauth import OAuthController
from entrypoints.http.openapi import describe
from entrypoints.http.operations import HealthController
from entrypoints.http.paging import CursorKey, Cursors
from entrypoints.http.problems import EXCEPTION_HANDLERS, allowed
from entrypoints.http.requests import PorticoRequest
from entrypoints.http.sessions import SessionController
from entrypoints.http.two_factor import TwoFactorController
from entrypoints.http.users import UserController
from entrypoints.lifetimes import Lifetime
from entrypoints.settings import Settings
from entrypoints.worker import working

API = Router(
    "/api/v1",
    route_handlers=[
        UserController,
        AuthController,
        SessionController,
        PasswordController,
        EmailController,
        EmailChangeController,
        OAuthController,
        TwoFactorController,
        ApiKeyController,
        ItemController,
        AuditController,
    ],
)
ROUTES = (API, WellKnownController, HealthController)


class HttpProvider(Provider):
    """What only the HTTP entrypoint needs."""

    scope = Lifetime.APP

    cursors = provide(Cursors)

    @provide
    def cursor_key(self, settings: Settings) -> CursorKey:
        return CursorKey(hmac.digest(settings.secret_key.encode(), b"portico cursors", "sha256"))

    @provide
    def fingerprint_key(self, settings: Settings) -> FingerprintKey:
        return FingerprintKey(hmac.digest(settings.secret_key.encode(), b"portico fingerprints", "sha256"))

    idempotency = provide(Idempotency, scope=Lifetime.REQUEST)


class Application:
    """The ASGI application of one installation: what runs as long as it does, and the edge around its routes.

    The container is the application's own: it must have `http_providers()` too, and is closed when the application
    stops. If the application works, it delivers mail.
    """

    def __init__(
        self,
        container: AsyncContainer,
        settings: Settings,
        *,
        works: bool = False,
        headers: Headers = (),
        when_live: Callable[[], None] = lambda: None,
    ) -> None:
        self.litestar = _routes(settings.docs, settings.max_body_bytes, settings.cors_origins)
        self.container = container
        self._edge = Edge(self.litestar, container, settings, headers)
        self._works = works
        self._when_live = when_live

    async def __call__(self, scope: Scope | LifeSpanScope, receive: Any, send: Any) -> None:
        """Serve a request, or live from the server's start to its stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._edge(scope, receive, send)

    async def _live(self, receive: LifeSpanReceive, send: LifeSpanSend) -> None:
        await receive()
        is_live = False
        try:
            try:
                listener = await self.container.get(StandingListener)
                housekeeping = await self.container.get(Housekeeping)
                async with (
                    in_background(listener.run, name="standing listener"),
                    in_background(housekeeping.run, name="housekeeping"),
                    working(self.container) if self._works else nullcontext(),
                ):
                    await send({"type": "lifespan.startup.complete"})
                    is_live = True
                    self._when_live()
                    await receive()
            finally:
                await self.container.close()
        except Exception:
            if not is_live:
                # Granian takes one that says nothing for one that does not know what a lifespan is, and serves.
                await send({"type": "lifespan.startup.failed", "message": ""})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def http_providers() -> tuple[Provider, ...]:
    """Return who makes what only the HTTP entrypoint needs."""
    return IdentityProvider(), HttpProvider()


def create_app(
    settings: Settings, *, works: bool = False, headers: Headers = (), when_live: Callable[[], None] = lambda: None
) -> Application:
    """Return the application of an installation with these settings. If it works, mail is delivered.

    Each answer gets the headers that it has not got yet. `when_live` is called once the application has started.
    """
    container = make_container(settings, *http_providers())
    return Application(container, settings, works=works, headers=headers, when_live=when_live)


@cache
def _routes(docs: bool, max_body_bytes: int, cors_origins: tuple[str, ...]) -> Litestar:  # noqa: FBT001 - cached by it
    """Return the routes with their rules. They hold nothing of an installation: requests bring that."""
    app = Litestar(
        [*ROUTES, *account_pages(), *(docs_handlers(openapi_document) if docs else [])],
        request_class=PorticoRequest,
        response_class=Answer,
        request_max_body_size=max_body_bytes,
        exception_handlers=EXCEPTION_HANDLERS,
        before_request=look_first,
        cors_config=_cors(cors_origins),
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            # Litestar's own tells the methods of the handler that came first.
            route.route_handler_map[HttpMethod.OPTIONS][0]._fn = _options(allowed(route.methods))  # noqa: SLF001
    for handler, query_parameters in handlers_of(app):
        handler.opt["private"] = is_private(handler)
        handler.opt["query_parameters"] = frozenset(query_parameters)
    return app


def _options(methods: str) -> Callable[..., Any]:
    def answer_options(scope: Scope) -> Response[None]:  # noqa: ARG001 - Litestar's own takes it
        return Answer(None, status_code=HTTPStatus.NO_CONTENT, headers={"Allow": methods})

    return answer_options


@cache
def openapi_document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON, made when first asked for."""
    return describe(ROUTES)


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-ID"],
        expose_headers=["ETag", "Idempotency-Replayed", "Link", "Location", "Retry-After", "X-Request-ID"],
        max_age=600,
    )
