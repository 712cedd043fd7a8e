"""The kinds of identifier. Each is a UUIDv7 (RFC 9562 section 5.7); the type keeps one from being passed as another."""

from hashlib import sha256
from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
ItemId = NewType("ItemId", UUID)
ApiKeyId = NewType("ApiKeyId", UUID)
MfaChallengeId = NewType("MfaChallengeId", UUID)

OPERATOR = UserId(UUID(int=0))
"""Who acts when a command is given on the server's own command line: no account, so no row ever has this id."""


def id_named(name: bytes) -> UUID:
    """Return the id that something with this name always has: a UUIDv7 of 1970 with a hash in place of randomness.

    RFC 9562 section 6.1 allows for timestamps that are none. 74 bits of the hash keep names apart.
    """
    digest = int.from_bytes(sha256(name).digest())
    return UUID(int=0x7 << 76 | (digest >> 62 & 0xFFF) << 64 | 0b10 << 62 | digest & 0x3FFF_FFFF_FFFF_FFFF)
