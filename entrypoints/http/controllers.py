"""The base of the controllers: their handlers' `FromDishka` parameters come from the container."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, get_type_hints

from dishka import AsyncContainer
from dishka.integrations.base import default_parse_dependency, wrap_injection
from litestar import Controller, Request
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

_REQUEST = Parameter("request", Parameter.KEYWORD_ONLY, annotation=Request[Any, Any, Any])


class InjectedController(Controller):
    """A controller whose handlers are injected when they are registered, on the copies that Litestar makes then.

    dishka's own router patches the controller class instead, once more for each application made of it.
    """

    def get_route_handlers(self) -> list[BaseRouteHandler]:
        """Return the handlers of this controller, injected."""
        handlers = super().get_route_handlers()
        for handler in handlers:
            assert isinstance(handler, HTTPRouteHandler)
            handler._fn = _injected(handler._fn)  # noqa: SLF001 - as dishka's own integration does
        return handlers


def _injected(function: Callable[..., Any]) -> Callable[..., Any]:
    """As dishka's integration does; but that goes through `request.state`, which Litestar makes anew each time.

    What takes nothing from the container stays as it is: Litestar is spared a request to hand over.
    """
    hints = get_type_hints(function, include_extras=True)
    parameters = signature(function).parameters
    if all(default_parse_dependency(each, hints[name]) is None for name, each in parameters.items()):
        return function
    return wrap_injection(
        func=function,
        is_async=True,
        additional_params=[] if "request" in parameters else [_REQUEST],
        container_getter=_container_of,
    )


def _container_of(_: tuple[Any, ...], arguments: dict[str, Any]) -> AsyncContainer:
    container: AsyncContainer = arguments["request"].scope["state"]["dishka_container"]
    return container
