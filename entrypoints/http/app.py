"""The HTTP application."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from dishka import Provider, Scope, provide
from litestar import Litestar, Router
from litestar.config.cors import CORSConfig

from application.ports import StandingListener
from entrypoints.background import in_background
from entrypoints.container import make_container
from entrypoints.http.account_pages import account_pages
from entrypoints.http.api_keys import ApiKeyController
from entrypoints.http.audit import AuditController
from entrypoints.http.auth import AuthController, WellKnownController
from entrypoints.http.credentials import EmailChangeController, EmailController, PasswordController
from entrypoints.http.docs import docs_handlers
from entrypoints.http.documentation import describe, handlers_of
from entrypoints.http.identity import IdentityProvider, is_private, refuse_odd_queries, refuse_strangers
from entrypoints.http.items import ItemController
from entrypoints.http.middleware import Edge
from entrypoints.http.oauth import OAuthController
from entrypoints.http.operations import HealthController
from entrypoints.http.paging import CursorKey, Cursors
from entrypoints.http.problems import EXCEPTION_HANDLERS
from entrypoints.http.requests import PorticoRequest
from entrypoints.http.sessions import SessionController
from entrypoints.http.two_factor import TwoFactorController
from entrypoints.http.users import UserController
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

    scope = Scope.APP

    cursors = provide(Cursors)

    @provide
    def cursor_key(self, settings: Settings) -> CursorKey:
        return CursorKey(hmac.digest(settings.secret_key.encode(), b"portico cursors", "sha256"))


def create_app(settings: Settings, *overrides: Provider, works: bool = False) -> Litestar:
    """Return the application; it makes its container, and closes it when it stops. If it works, mail is delivered."""
    container = make_container(settings, IdentityProvider(), HttpProvider(), *overrides)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        try:
            listener = await container.get(StandingListener)
            async with (
                in_background(listener.run, name="standing listener"),
                working(container) if works else nullcontext(),
            ):
                yield
        finally:
            await container.close()

    app = Litestar(
        [*ROUTES, *account_pages(), *(docs_handlers(openapi_document) if settings.docs else [])],
        lifespan=[lifespan],
        request_class=PorticoRequest,
        request_max_body_size=settings.max_body_bytes,
        exception_handlers=EXCEPTION_HANDLERS,
        guards=[refuse_strangers, refuse_odd_queries],
        cors_config=_cors(settings),
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    for handler, query_parameters in handlers_of(app):
        handler.opt["private"] = is_private(handler)
        handler.opt["query_parameters"] = frozenset(query_parameters)
    app.state.dishka_container = container  # where dishka's own integration keeps it
    app.asgi_handler = Edge(app.asgi_handler, container, settings)
    return app


def openapi_document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    return describe(ROUTES)


def _cors(settings: Settings) -> CORSConfig | None:
    if not settings.cors_origins:
        return None
    return CORSConfig(
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-ID"],
        expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Request-ID"],
        max_age=600,
    )
