"""The pages behind the links in letters, so that an installation without a front end of its own has all it needs.

The token stands in the address's fragment, which browsers send to nobody; the page's script takes it out of the address
bar and posts it to the API. Nothing on a page comes from the request.
"""

import secrets
from pathlib import Path
from string import Template

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

PAGES = Path(__file__).parent / "pages"

_NONCE_BYTES = 16


def account_pages() -> list[HTTPRouteHandler]:
    """Return the handlers of `/account/verify`, `/account/reset` and `/account/email`."""
    return [_handler(name) for name in ("verify", "reset", "email")]


def page_policy(nonce: str) -> str:
    """Return the Content-Security-Policy of a page: its own script and style, the API, and nothing else."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


def _handler(name: str) -> HTTPRouteHandler:
    page = Template(_read("page.html")).safe_substitute(
        title=_TITLES[name], main=_read(f"{name}.html"), style=_read("page.css"), script=_read("page.js")
    )

    @get(f"/account/{name}", name=f"account:{name}", sync_to_thread=False, include_in_schema=False)
    def show() -> Response[str]:
        """Show the page."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return Response(
            page.replace("{nonce}", nonce),
            media_type=MediaType.HTML,
            headers={"Content-Security-Policy": page_policy(nonce)},
        )

    return show


_TITLES = {"verify": "Confirm your address", "reset": "Choose a new password", "email": "Confirm your new address"}


def _read(file: str) -> str:
    return (PAGES / file).read_text(encoding="utf-8")
