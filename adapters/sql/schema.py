"""The schema in SQL, moved by Alembic."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.revisions import current_revision_on, head_revision
from application.schema import Schema


class SqlSchema(Schema):
    """Moves the schema on an engine that has no limit of time for a command.

    Alembic comes when there is something to move: it takes a tenth of the time that a server's start takes.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def head(self) -> str:
        return head_revision()

    async def current(self) -> str | None:
        return await current_revision_on(self._engine)

    async def upgrade(self) -> None:
        if await self.current() == self.head():
            return
        from adapters.sql import migrations  # noqa: PLC0415

        await migrations.upgrade(self._engine)

    async def downgrade(self, revision: str) -> None:
        from adapters.sql import migrations  # noqa: PLC0415

        await migrations.downgrade(self._engine, revision)

    async def differences(self) -> Sequence[str]:
        from adapters.sql import migrations  # noqa: PLC0415

        return await migrations.differences(self._engine)
