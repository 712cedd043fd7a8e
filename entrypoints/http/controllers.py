"""The base of the controllers: their handlers' `FromDishka` parameters come from the container."""

from dishka.integrations.litestar import inject
from litestar import Controller
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler


class InjectedController(Controller):
    """A controller whose handlers are injected when they are registered, on the copies that Litestar makes then.

    dishka's own router patches the controller class instead, once more for each application made of it.
    """

    def get_route_handlers(self) -> list[BaseRouteHandler]:
        """Return the handlers of this controller, injected."""
        handlers = super().get_route_handlers()
        for handler in handlers:
            assert isinstance(handler, HTTPRouteHandler)
            handler._fn = inject(handler._fn)  # noqa: SLF001 - as dishka's own integration does
        return handlers
