"""Every use case asks for a permission first, unless it is known to be for everybody (ASVS 5.0 8.2.1, 8.3.1)."""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

import application
from domain.access import ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Actor, Permission, Role, Scope
from entrypoints.http.app import create_app
from tests.containers import settings_for

FOR_EVERYBODY = {
    "DeliverLetters": "nobody asks for it: the worker does it",
    "PurgeLeftovers": "nobody asks for it: the worker does it",
    "ConfirmEmail": "a link that came by mail is its own proof",
    "ForgetPassword": "sends a letter, to who owns the address",
    "ResetPassword": "a link that came by mail is its own proof",
    "CheckReadiness": "tells only whether the server is ready",
    "Identify": "is what finds out who asks",
    "RefreshSession": "a refresh token is its own proof",
    "SignIn": "proves who somebody is",
    "SignInWithCode": "proves who somebody is",
    "SignUp": "guarded by the sign-up policy",
}
"""The use cases that take no actor, and why they may."""

PARTS = {
    "ConfirmPassword": "asks who is signed in already for the password again",
}
"""What can be called but is only a part of use cases, which ask."""

REQUIRE = r"actor\.require\(Permission\.(\w+)(?: if user_id == actor\.user_id else Permission\.(\w+))?\)"
"""One permission, or one for what is the actor's own and another for what is not."""

PUBLIC = {
    "GET /.well-known/jwks.json",
    "GET /account/email",
    "GET /account/reset",
    "GET /account/verify",
    "GET /health",
    "GET /health/ready",
    "POST /api/v1/auth/email/verify",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/login/mfa",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/token",
    "POST /api/v1/users",
}
"""The routes that a stranger may call, besides the documentation's."""


def use_cases() -> Iterator[type[Any]]:
    """Yield every class of the application layer that is called to do something."""
    for module in pkgutil.walk_packages(application.__path__, "application."):
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if found.__module__ == module.name and is_dataclass(found) and "__call__" in vars(found):
                yield found


def first_statement(use_case: type[Any]) -> str:
    """Return the source of the first statement of what a use case does."""
    function = ast.parse(textwrap.dedent(inspect.getsource(use_case.__call__))).body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return ast.unparse(statements[0])


def takes_an_actor(use_case: type[Any]) -> bool:
    parameters = list(inspect.signature(use_case.__call__).parameters.values())
    return len(parameters) > 1 and parameters[1].name == "actor" and parameters[1].annotation is Actor


USE_CASES = list(use_cases())
ASKING = [use_case for use_case in USE_CASES if use_case.__name__ not in FOR_EVERYBODY | PARTS]


def test_the_use_cases_are_found() -> None:
    names = {use_case.__name__ for use_case in USE_CASES}

    assert len(USE_CASES) >= 20
    assert names >= FOR_EVERYBODY.keys() | PARTS.keys()


@pytest.mark.parametrize("use_case", ASKING, ids=lambda use_case: use_case.__name__)
def test_a_use_case_takes_an_actor_and_first_asks_what_it_may(use_case: type[Any]) -> None:
    assert takes_an_actor(use_case)
    asked = re.fullmatch(REQUIRE, first_statement(use_case))
    assert asked is not None
    assert {name for name in asked.groups() if name} <= set(Permission.__members__)


@pytest.mark.parametrize("name", sorted(FOR_EVERYBODY))
def test_what_is_for_everybody_takes_no_actor(name: str) -> None:
    use_case = next(use_case for use_case in USE_CASES if use_case.__name__ == name)

    assert Actor not in get_type_hints(use_case.__call__).values() or name == "Identify"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """Provide the application with all that it serves."""
    folder: Path = tmp_path_factory.mktemp("policies")
    return create_app(settings_for("memory:", folder)).litestar


def injected_use_cases(function: Any) -> set[str]:
    hints = get_type_hints(getattr(function, "__dishka_orig_func__", function), include_extras=True)
    wanted = {argument for hint in hints.values() for argument in get_args(hint)}
    return {use_case.__name__ for use_case in USE_CASES if use_case in wanted}


def test_every_route_is_private_unless_listed(app: Litestar) -> None:
    public = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith(("/docs", "/openapi.json"))
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS" and not handler.opt.get("private")
    }

    assert public == PUBLIC


def test_every_private_route_calls_a_use_case_that_asks(app: Litestar) -> None:
    asking = {use_case.__name__ for use_case in ASKING}
    careless = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if handler.opt.get("private") and not injected_use_cases(handler.fn) & asking
    }

    assert careless == set()


def test_every_role_and_every_scope_has_its_line_in_the_table() -> None:
    assert ROLE_PERMISSIONS.keys() == set(Role)
    assert SCOPE_PERMISSIONS.keys() == set(Scope)
