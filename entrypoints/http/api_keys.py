"""API keys over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from dishka.integrations.litestar import FromDishka
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from application.auth.api_keys import CreateApiKey, ListApiKeys, RevokeApiKey
from application.auth.views import ApiKeyView, NewApiKey
from domain.access import Actor, Scope
from domain.auth.api_key import API_KEY_LIFETIME_MAX, API_KEY_NAME_MAX
from domain.auth.errors import ApiKeyNotFound, TooManyApiKeys
from domain.ids import ApiKeyId
from entrypoints.http.controllers import InjectedController
from entrypoints.http.documentation import raises


class NewApiKeyBody(Struct, forbid_unknown_fields=True):
    """A new API key."""

    name: Annotated[str, Meta(min_length=1, max_length=API_KEY_NAME_MAX)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=len(Scope))]
    expires_at: (
        Annotated[
            datetime,
            Meta(tz=True, description=f"At most {API_KEY_LIFETIME_MAX.days} days off, which is also the default."),
        ]
        | None
    ) = None


class ApiKeyList(Struct):
    """One's API keys, all of them."""

    data: list[ApiKeyView]


class ApiKeyController(InjectedController):
    """`/auth/api-keys`."""

    path = "/auth/api-keys"
    tags = ("auth",)

    @post(operation_id="createApiKey", opt=raises(TooManyApiKeys))
    async def create_api_key(
        self, data: JSONBody[NewApiKeyBody], actor: FromDishka[Actor], create_api_key: FromDishka[CreateApiKey]
    ) -> NewApiKey:
        """Make an API key. The key itself is shown this once."""
        return await create_api_key(actor, name=data.name, scopes=data.scopes, expires_at=data.expires_at)

    @get(operation_id="listApiKeys")
    async def list_api_keys(self, actor: FromDishka[Actor], list_api_keys: FromDishka[ListApiKeys]) -> ApiKeyList:
        """List one's API keys, the oldest first, with when each was last used (to the minute)."""
        return ApiKeyList(await list_api_keys(actor))

    @delete("/{key_id:uuid}", operation_id="revokeApiKey", opt=raises(ApiKeyNotFound))
    async def revoke_api_key(
        self, key_id: FromPath[UUID], actor: FromDishka[Actor], revoke_api_key: FromDishka[RevokeApiKey]
    ) -> None:
        """Revoke one of one's API keys, at once."""
        await revoke_api_key(actor, ApiKeyId(key_id))
