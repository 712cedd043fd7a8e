"""Mail servers, and containers whose mail goes to them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from dishka import AsyncContainer

from adapters.mail.messages import Envelopes
from application.mail import Mailer
from application.mail_places import parse_sender
from entrypoints.settings import Settings
from tests.containers import Given, Override, container_for
from tests.mail.smtp import Sink, smtp_server

MAIL_FROM = "Portico <no-reply@mail.example.org>"


def mailed_by(mailer: Callable[[Envelopes], Mailer]) -> Given:
    """Return a mailer of the test's own, to put in place of the one that the settings choose."""
    return Given({Mailer: mailer(Envelopes(sender=parse_sender(MAIL_FROM), domain="api.example.org"))})


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """Provide a mail server that takes everything."""
    async with smtp_server(Sink()) as sink:
        yield sink


type Containers = Callable[..., AsyncContainer]


@pytest.fixture
async def a_container(storage: Settings, overrides: tuple[Override, ...]) -> AsyncIterator[Containers]:
    """Provide what makes containers on the storage, with other settings and providers."""
    async with AsyncExitStack() as stack:

        def make(*others: Override, **settings: object) -> AsyncContainer:
            variables = {"mail_from": MAIL_FROM, "public_url": "https://api.example.org"} | settings
            container = container_for(replace(storage, **variables), *overrides, *others)  # type: ignore[arg-type]
            stack.push_async_callback(container.close)
            return container

        yield make
