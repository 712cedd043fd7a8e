"""The kinds of identifier. Each is a UUIDv7 (RFC 9562 section 5.7); the type keeps one from being passed as another."""

from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
ItemId = NewType("ItemId", UUID)
ApiKeyId = NewType("ApiKeyId", UUID)
MfaChallengeId = NewType("MfaChallengeId", UUID)

OPERATOR = UserId(UUID(int=0))
"""Who acts when a command is given on the server's own command line: no account, so no row ever has this id."""
