"""Telling who is asking."""

from dataclasses import dataclass

from application.auth.ports import AccessTokens, Standings
from application.ports import Clock
from domain.access import Actor, Client
from domain.auth.errors import InvalidAccessToken


@dataclass(frozen=True, slots=True)
class Identify:
    """Turn an access token into the actor it stands for.

    The token proves the session; whether that may still be used, and as what, is looked up on each request
    (ASVS 5.0 7.4.1, 8.3.2), through a cache of a few seconds that each change of standing clears.
    """

    access_tokens: AccessTokens
    standings: Standings
    clock: Clock

    async def __call__(self, credential: str, *, client: Client) -> Actor:
        """Return the actor; raises InvalidAccessToken."""
        claims = await self.access_tokens.read(credential)
        standing = await self.standings.find(claims.session_id)
        if (
            standing is None
            or standing.user_id != claims.user_id
            or not standing.is_active
            or standing.revoked_at is not None
            or standing.expires_at <= self.clock.now()
        ):
            raise InvalidAccessToken
        return Actor.member_of(standing.role, user_id=standing.user_id, session_id=claims.session_id, client=client)
