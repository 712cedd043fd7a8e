"""Health, for whoever watches over the server."""

from dishka.integrations.litestar import FromDishka
from litestar import get
from msgspec import Struct

from application.health import CheckReadiness
from entrypoints.http.controllers import InjectedController
from entrypoints.http.version import VERSION


class Health(Struct):
    """That the process answers, and which version it is."""

    status: str
    version: str


class HealthController(InjectedController):
    """`/health`."""

    path = "/health"
    tags = ("operations",)

    @get(operation_id="health")
    async def health(self) -> Health:
        """Tell that the process answers; touches nothing."""
        return Health(status="ok", version=VERSION)

    @get("/ready", operation_id="ready")
    async def ready(self, check_readiness: FromDishka[CheckReadiness]) -> Health:
        """Tell whether requests can be served: the database answers and its schema is this version's."""
        await check_readiness()
        return Health(status="ok", version=VERSION)
