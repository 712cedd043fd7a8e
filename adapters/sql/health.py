"""Health of the database."""

from adapters.sql.reads import Reads
from adapters.sql.revisions import current_revision, head_revision
from application.health import StorageHealth


class SqlStorageHealth(StorageHealth):
    """Asks the database which schema it has."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._head = head_revision()

    async def is_current(self) -> bool:
        return await current_revision(self._reads) == self._head
