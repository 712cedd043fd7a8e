"""The schema in SQL, moved by Alembic."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql import migrations
from adapters.sql.revisions import head_revision
from application.schema import Schema, UnknownRevision


class SqlSchema(Schema):
    """Moves the schema on an engine that has no limit of time for a command."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def head(self) -> str:
        return head_revision()

    async def current(self) -> str | None:
        return await migrations.current_revision(self._engine)

    async def upgrade(self) -> None:
        with _known():
            await migrations.upgrade(self._engine)

    async def downgrade(self, revision: str) -> None:
        with _known():
            await migrations.downgrade(self._engine, revision)

    async def differences(self) -> Sequence[str]:
        return await migrations.differences(self._engine)


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise UnknownRevision from error
