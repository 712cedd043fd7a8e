"""Health of the database."""

from adapters.sql.engines import Engines
from adapters.sql.migrations import current_revision, head_revision
from application.health import StorageHealth


class SqlStorageHealth(StorageHealth):
    """Asks the database which schema it has."""

    def __init__(self, engines: Engines) -> None:
        self._engine = engines.read
        self._head = head_revision()

    async def is_current(self) -> bool:
        return await current_revision(self._engine) == self._head
