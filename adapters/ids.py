"""UUIDv7 from the uuid-utils library."""

from uuid import UUID

import uuid_utils

from application.ports import NewId


class UuidV7(NewId):
    """Time-ordered ids, so that rows made together are stored together."""

    def __call__(self) -> UUID:
        return UUID(bytes=uuid_utils.uuid7().bytes)
