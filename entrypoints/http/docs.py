"""The API's documentation: the OpenAPI document, and a page for people that needs no network."""

from collections.abc import Callable
from pathlib import Path

from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

ASSETS = Path(__file__).parent / "assets"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI sets styles on its elements; scripts come from our files alone, none stands in the page."""

_FILES = {
    "docs.js": (ASSETS / "docs.js", "text/javascript"),
    "swagger-ui-bundle.js": (ASSETS / "swagger-ui" / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (ASSETS / "swagger-ui" / "swagger-ui.css", "text/css"),
}


def docs_handlers(make_document: Callable[[], bytes]) -> list[HTTPRouteHandler]:
    """Return the handlers of `/docs` and `/openapi.json`."""

    @get("/openapi.json", sync_to_thread=True)
    def document() -> Response[bytes]:
        """Show the OpenAPI 3.1 document."""
        headers = {"Cache-Control": "public, max-age=60"}
        return Response(make_document(), media_type="application/json", headers=headers)

    @get("/docs", sync_to_thread=True)
    def page() -> Response[bytes]:
        """Show the page on which the API can be read and tried."""
        return Response(
            (ASSETS / "docs.html").read_bytes(),
            media_type=MediaType.HTML,
            headers={"Content-Security-Policy": PAGE_POLICY},
        )

    @get("/docs/assets/{name:str}", sync_to_thread=True)
    def asset(name: FromPath[str]) -> Response[bytes]:
        """Serve one of the page's files; there are no others."""
        if name not in _FILES:
            raise NotFoundException
        path, media_type = _FILES[name]
        return Response(path.read_bytes(), media_type=media_type, headers={"Cache-Control": "public, max-age=3600"})

    return [document, page, asset]
