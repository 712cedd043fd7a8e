"""Telling who is asking."""

from dataclasses import dataclass

from application.auth.api_key_cache import ApiKeyUseLog
from application.auth.api_key_ports import ApiKeyStandings
from application.auth.ports import Standings
from application.auth.signing_ports import AccessTokens
from application.ports import Clock
from domain.access import Actor, Client
from domain.auth.api_key import digest_api_key, is_api_key, parse_api_key
from domain.auth.errors import InvalidAccessToken, InvalidApiKey
from domain.ids import SessionId, UserId


@dataclass(frozen=True, slots=True)
class Identify:
    """Turn an access token or an API key into the actor it stands for.

    The token proves the session, the key itself; whether they may still be used, and as what, is looked up on each
    request (ASVS 5.0 7.4.1, 8.3.2), through a cache of a few seconds that each change of standing clears.
    """

    access_tokens: AccessTokens
    standings: Standings
    api_keys: ApiKeyStandings
    api_key_uses: ApiKeyUseLog
    clock: Clock

    async def __call__(self, credential: str, *, client: Client) -> Actor:
        """Return the actor; raises InvalidAccessToken, InvalidApiKey."""
        if is_api_key(credential):
            return await self._by_key(credential, client=client)
        claims = await self.access_tokens.read(credential)
        return await self._by_session(claims.session_id, claims.user_id, client=client)

    async def again(self, actor: Actor, credential: str) -> Actor:
        """Return the actor as it stands by now, in the middle of something long; raises what identifying it raises.

        How old an access token is by now does not matter: it was good when this began.
        """
        if actor.session_id is None:
            return await self._by_key(credential, client=actor.client)
        return await self._by_session(actor.session_id, actor.user_id, client=actor.client)

    async def _by_session(self, session_id: SessionId, user_id: UserId, *, client: Client) -> Actor:
        standing = await self.standings.find(session_id)
        if (
            standing is None
            or standing.user_id != user_id
            or not standing.is_active
            or standing.revoked_at is not None
            or standing.expires_at <= self.clock.now()
        ):
            raise InvalidAccessToken
        return Actor.member_of(standing.role, user_id=user_id, session_id=session_id, client=client)

    async def _by_key(self, credential: str, *, client: Client) -> Actor:
        key = parse_api_key(credential)
        standing = None if key is None else await self.api_keys.find(digest_api_key(key))
        if (
            standing is None
            or not standing.is_active
            or standing.revoked_at is not None
            or standing.expires_at <= self.clock.now()
        ):
            raise InvalidApiKey
        self.api_key_uses.note(standing)
        return Actor.by_key(standing.key_id, standing.role, standing.scopes, user_id=standing.owner_id, client=client)
