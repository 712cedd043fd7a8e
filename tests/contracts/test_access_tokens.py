"""`AccessTokens`: what Portico signed, for itself, and in time. Everything else is refused (RFC 8725)."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from dishka import AsyncContainer
from joserfc import jwt
from joserfc.jwk import ECKey, KeyParameters, OctKey, OKPKey

from adapters.memory.sessions import MemorySigningKeyStore
from adapters.memory.store import MemoryStore
from adapters.security.access_tokens import (
    LEEWAY,
    TOKEN_MAX,
    Ed25519AccessTokens,
)
from adapters.security.cipher import Cipher
from adapters.security.secrets import SecretKey
from adapters.security.signing_keys import Ed25519Keys, ForeignSigningKeys
from application.auth.signing_ports import AccessClaims, AccessTokens, SigningKey, SigningKeyStore
from domain.auth.errors import InvalidAccessToken
from domain.errors import Unavailable
from domain.ids import SessionId, UserId
from entrypoints.settings import Settings
from tests.clock import NOW, FixedClock
from tests.containers import Override, container_for

ISSUER = "https://api.example.org"
USER, SESSION = UserId(UUID(int=1)), SessionId(UUID(int=2))
END = NOW.replace(microsecond=0) + timedelta(minutes=10)
CIPHER = Cipher(SecretKey(b"one installation"), purpose="signing keys")


class KeyStore(MemorySigningKeyStore):
    """Keys in memory; counts how often they were asked for, and lets them be replaced."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.asked = 0

    async def all(self) -> list[SigningKey]:
        self.asked += 1
        return await super().all()

    def put(self, key: SigningKey) -> None:
        self._keys[key.kid] = key


@pytest.fixture
def store() -> KeyStore:
    return KeyStore()


def tokens_on(
    store: SigningKeyStore, clock: FixedClock, *, cipher: Cipher = CIPHER, issuer: str = ISSUER, audience: str = ISSUER
) -> Ed25519AccessTokens:
    """Return what one process of an installation has."""
    return Ed25519AccessTokens(store, cipher, clock, issuer=issuer, audience=audience)


@pytest.fixture
def tokens(store: KeyStore, clock: FixedClock) -> Ed25519AccessTokens:
    return tokens_on(store, clock)


@pytest.fixture
async def token(tokens: Ed25519AccessTokens) -> str:
    return await tokens.issue(user_id=USER, session_id=SESSION, expires_at=END)


@pytest.fixture
async def key(token: str, store: KeyStore) -> OKPKey:
    """The key pair that signed the token: what nobody outside has."""
    assert token
    [stored] = await store.all()
    return OKPKey.import_key(json.loads(CIPHER.open(stored.sealed_private_key, context=stored.kid)))


async def is_refused(tokens: AccessTokens, token: str) -> bool:
    try:
        await tokens.read(token)
    except InvalidAccessToken:
        return True
    return False


def part(token: str, at: int) -> dict[str, Any]:
    text = token.split(".")[at]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def b64(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], claims: object, key: OKPKey) -> str:
    """Return a token with a good signature, whatever it says."""
    body = f"{b64(header)}.{b64(claims)}"
    return f"{body}.{b64(key.private_key.sign(body.encode()))}"  # type: ignore[union-attr]


# --- prepare


async def test_whoever_prepares_first_makes_the_key_that_signs(
    tokens: Ed25519AccessTokens, store: KeyStore, clock: FixedClock
) -> None:
    await tokens.prepare()
    await tokens.prepare()
    await tokens_on(store, clock).prepare()

    [key] = await store.all()
    token = await tokens_on(store, clock).issue(user_id=USER, session_id=SESSION, expires_at=END)
    assert part(token, 0)["kid"] == key.kid
    assert await store.all() == [key]


async def test_prepares_where_no_key_is_active(tokens: Ed25519AccessTokens, store: KeyStore, clock: FixedClock) -> None:
    """An operator has retired all: nobody can sign in, and all else is served."""
    await tokens.prepare()
    [key] = await store.all()
    store.put(replace(key, retires_at=clock.now()))

    await tokens_on(store, clock).prepare()

    assert [key.kid for key in await store.all()] == [key.kid]


# --- issue


async def test_reads_what_it_issued(tokens: Ed25519AccessTokens, token: str) -> None:
    assert await tokens.read(token) == AccessClaims(USER, SESSION, END)


async def test_a_token_says_what_rfc_9068_asks_of_it_and_nothing_else(tokens: Ed25519AccessTokens, token: str) -> None:
    header, claims = part(token, 0), part(token, 1)

    assert header == {"alg": "Ed25519", "typ": "at+jwt", "kid": header["kid"]}
    assert claims == {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": str(USER),
        "sid": str(SESSION),
        "iat": int(NOW.timestamp()),
        "exp": int(END.timestamp()),
        "jti": claims["jti"],
    }
    assert UUID(claims["jti"]).version == 7
    assert token != await tokens.issue(user_id=USER, session_id=SESSION, expires_at=END)


async def test_others_can_verify_a_token_by_the_published_key(tokens: Ed25519AccessTokens, token: str) -> None:
    [published] = (await tokens.jwks())["keys"]

    raw = base64.urlsafe_b64decode(published["x"] + "=")
    body, _, signature = token.rpartition(".")
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.urlsafe_b64decode(signature + "=="), body.encode())
    assert published["kid"] == part(token, 0)["kid"]


async def test_publishes_no_private_half(tokens: Ed25519AccessTokens, token: str) -> None:
    assert token

    [published] = (await tokens.jwks())["keys"]

    assert {name: published[name] for name in published if name not in ("kid", "x")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "Ed25519",
    }


async def test_publishes_nothing_before_there_is_a_key(tokens: Ed25519AccessTokens) -> None:
    assert await tokens.jwks() == {"keys": []}


# --- read: time


@pytest.mark.parametrize("seen_before", [False, True])
async def test_a_token_is_good_until_its_end_and_a_little_longer(
    tokens: Ed25519AccessTokens, token: str, clock: FixedClock, seen_before: bool
) -> None:
    if seen_before:
        await tokens.read(token)

    clock.advance(END - NOW + timedelta(seconds=LEEWAY, microseconds=-1))
    before = await is_refused(tokens, token)
    clock.advance(timedelta(microseconds=1))
    after = await is_refused(tokens, token)

    assert (before, after) == (False, True)


async def test_a_token_from_a_clock_that_is_a_little_ahead_is_good(store: KeyStore, clock: FixedClock) -> None:
    ahead = FixedClock(NOW + timedelta(seconds=LEEWAY))
    token = await tokens_on(store, ahead).issue(user_id=USER, session_id=SESSION, expires_at=END)

    assert not await is_refused(tokens_on(store, clock), token)


# --- read: other spellings, other signatures


async def test_refuses_every_prefix(tokens: Ed25519AccessTokens, token: str) -> None:
    good = [token[:length] for length in range(len(token)) if not await is_refused(tokens, token[:length])]

    assert good == []


async def test_refuses_a_token_with_any_bit_flipped(tokens: Ed25519AccessTokens, token: str) -> None:
    flipped = [
        token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :] for at in range(len(token)) for bit in range(8)
    ]

    assert [other for other in flipped if not await is_refused(tokens, other)] == []


@pytest.mark.parametrize(
    "spelled_otherwise",
    [
        pytest.param(lambda token: f"{token}=", id="padded"),
        pytest.param(lambda token: f"{token}==", id="padded twice"),
        pytest.param(lambda token: f"{token}\n", id="line end after"),
        pytest.param(lambda token: f" {token}", id="space before"),
        pytest.param(lambda token: f"{token}.", id="one part more"),
        pytest.param(lambda token: f"{token}.{token}", id="twice"),
        pytest.param(lambda token: f".{token}", id="one part before"),
        pytest.param(lambda token: token.rpartition(".")[0], id="no signature part"),
        pytest.param(lambda token: token.rpartition(".")[0] + ".", id="empty signature"),
        pytest.param(lambda token: token.replace("-", "+").replace("_", "/") + "A", id="another alphabet"),
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda _: "..", id="three times nothing"),
        pytest.param(lambda _: "\ud800.\ud800.\ud800", id="lone surrogates"),
        pytest.param(lambda _: "ä.ö.ü", id="beyond ASCII"),
        pytest.param(lambda _: "a" * (TOKEN_MAX + 1), id="too long"),
        pytest.param(lambda _: f"{'.' * TOKEN_MAX}", id="many parts"),
        pytest.param(lambda _: f"{b64(b'[' * 3000)}.e30.AA", id="nested too deep"),
    ],
)
async def test_refuses_other_spellings(tokens: Ed25519AccessTokens, token: str, spelled_otherwise: Any) -> None:
    other = spelled_otherwise(token)

    assert other != token
    assert await is_refused(tokens, other)


async def test_refuses_an_unsigned_token(tokens: Ed25519AccessTokens, token: str) -> None:
    claims = b64(part(token, 1))

    for alg in ("none", "None", "NONE", "nOnE", ""):
        header = b64(part(token, 0) | {"alg": alg})
        assert await is_refused(tokens, f"{header}.{claims}.")
        assert await is_refused(tokens, f"{header}.{claims}.{token.rpartition('.')[2]}")


async def test_refuses_a_token_signed_with_the_public_key_as_a_secret(tokens: Ed25519AccessTokens, token: str) -> None:
    [published] = (await tokens.jwks())["keys"]
    raw = base64.urlsafe_b64decode(published["x"] + "=")

    for secret in (raw, published["x"].encode(), json.dumps(published).encode()):
        forged = jwt.encode(part(token, 0) | {"alg": "HS256"}, part(token, 1), OctKey.import_key(secret.ljust(32)))
        assert await is_refused(tokens, forged)


async def test_refuses_a_token_signed_with_a_key_of_ones_own(tokens: Ed25519AccessTokens, token: str) -> None:
    own = OKPKey.generate_key("Ed25519")
    curve = ECKey.generate_key("P-256")

    assert await is_refused(tokens, signed(part(token, 0), part(token, 1), own))
    assert await is_refused(tokens, signed(part(token, 0) | {"kid": own.thumbprint()}, part(token, 1), own))
    assert await is_refused(tokens, signed(part(token, 0) | {"jwk": own.as_dict(private=False)}, part(token, 1), own))
    assert await is_refused(tokens, jwt.encode(part(token, 0) | {"alg": "ES256"}, part(token, 1), curve))


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "EdDSA"},
        {"alg": "HS256"},
        {"alg": ["Ed25519"]},
        {"alg": None},
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": None},
        {"kid": "another"},
        {"kid": None},
        {"kid": 1},
        {"kid": ["a"]},
        {"crit": ["exp"]},
        {"b64": False},
        {"jku": "https://attacker.example/jwks.json"},
        {"x5u": "https://attacker.example/key.pem"},
        {"jwk": {"kty": "OKP"}},
        {"cty": "JWT"},
        {"zip": "DEF"},
    ],
    ids=str,
)
async def test_refuses_every_other_header_though_the_signature_is_good(
    tokens: Ed25519AccessTokens, token: str, key: OKPKey, change: dict[str, Any]
) -> None:
    header, claims = part(token, 0), part(token, 1)

    assert not await is_refused(tokens, signed(header, claims, key))
    assert await is_refused(tokens, signed(header | change, claims, key))


@pytest.mark.parametrize("member", ["alg", "typ", "kid"])
async def test_refuses_a_header_that_lacks_a_member(
    tokens: Ed25519AccessTokens, token: str, key: OKPKey, member: str
) -> None:
    header = part(token, 0)
    del header[member]

    assert await is_refused(tokens, signed(header, part(token, 1), key))


@pytest.mark.parametrize("header", ["[]", '"at+jwt"', "null", "1", "{", '{"alg":"Ed25519"', "\x00", "\xff"])
async def test_refuses_a_header_that_is_no_object(
    tokens: Ed25519AccessTokens, token: str, key: OKPKey, header: str
) -> None:
    body = f"{b64(header.encode('latin-1'))}.{b64(part(token, 1))}"

    assert await is_refused(tokens, f"{body}.{b64(key.private_key.sign(body.encode()))}")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://attacker.example"},
        {"iss": f"{ISSUER}/"},
        {"iss": [ISSUER]},
        {"iss": ""},
        {"iss": None},
        {"aud": "https://attacker.example"},
        {"aud": ["https://attacker.example"]},
        {"aud": []},
        {"aud": ""},
        {"aud": None},
        {"exp": int(NOW.timestamp()) - LEEWAY - 1},
        {"exp": 0},
        {"exp": -1},
        {"exp": 2**63},
        {"exp": 10**400},
        {"exp": "tomorrow"},
        {"exp": None},
        {"exp": [END.timestamp()]},
        {"exp": {}},
        {"iat": int(NOW.timestamp()) + LEEWAY + 1},
        {"iat": "now"},
        {"iat": None},
        {"nbf": int(NOW.timestamp()) + LEEWAY + 1},
        {"sub": "somebody"},
        {"sub": ""},
        {"sub": 1},
        {"sub": None},
        {"sub": [str(USER)]},
        {"sid": "some session"},
        {"sid": 1},
        {"sid": None},
        {"jti": None},
    ],
    ids=lambda change: str(change)[:60],
)
async def test_refuses_every_other_claim_though_the_signature_is_good(
    tokens: Ed25519AccessTokens, token: str, key: OKPKey, change: dict[str, Any]
) -> None:
    header, claims = part(token, 0), part(token, 1)

    assert await is_refused(tokens, signed(header, claims | change, key))


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "sub", "sid", "jti"])
async def test_refuses_a_token_that_lacks_a_claim(
    tokens: Ed25519AccessTokens, token: str, key: OKPKey, claim: str
) -> None:
    claims = part(token, 1)
    del claims[claim]

    assert await is_refused(tokens, signed(part(token, 0), claims, key))


@pytest.mark.parametrize("claims", [[], "sub", None, 1, b"", b"\xff", b"{"], ids=str)
async def test_refuses_claims_that_are_no_object(
    tokens: Ed25519AccessTokens, token: str, key: OKPKey, claims: object
) -> None:
    assert await is_refused(tokens, signed(part(token, 0), claims, key))


# --- keys


async def test_refuses_the_tokens_of_another_installation(tokens: Ed25519AccessTokens, clock: FixedClock) -> None:
    await tokens.issue(user_id=USER, session_id=SESSION, expires_at=END)
    foreign = await tokens_on(KeyStore(), clock).issue(user_id=USER, session_id=SESSION, expires_at=END)

    assert await is_refused(tokens, foreign)


async def test_refuses_a_token_for_another_address_under_the_same_key(
    store: KeyStore, clock: FixedClock, token: str
) -> None:
    assert await is_refused(tokens_on(store, clock, issuer="https://other.example"), token)
    assert await is_refused(tokens_on(store, clock, audience="https://other.example"), token)


async def test_finds_a_key_that_another_process_made_meanwhile(store: KeyStore, clock: FixedClock) -> None:
    first, second = tokens_on(store, clock), tokens_on(store, clock)
    await second.jwks()
    token = await first.issue(user_id=USER, session_id=SESSION, expires_at=END)

    clock.advance(timedelta(seconds=1))

    assert await second.read(token) == AccessClaims(USER, SESSION, END)


async def test_guessed_keys_make_at_most_one_query_a_second(
    tokens: Ed25519AccessTokens, token: str, store: KeyStore, clock: FixedClock
) -> None:
    clock.advance(timedelta(seconds=2))
    store.asked = 0
    own = OKPKey.generate_key("Ed25519")

    for number in range(50):
        guess = signed(part(token, 0) | {"kid": f"guess {number}"}, part(token, 1), own)
        assert await is_refused(tokens, guess)

    assert store.asked == 1


async def test_looks_for_keys_once_in_five_seconds(
    tokens: Ed25519AccessTokens, token: str, store: KeyStore, clock: FixedClock
) -> None:
    store.asked = 0

    for _ in range(10):
        await tokens.issue(user_id=USER, session_id=SESSION, expires_at=END)
        await tokens.jwks()
    clock.advance(timedelta(seconds=5))
    await tokens.jwks()

    assert token
    assert store.asked == 1


async def test_signs_with_the_newest_key_that_is_active(store: KeyStore, clock: FixedClock) -> None:
    for kid, activates in (("old", -2), ("new", -1), ("future", 1)):
        store.put(a_key(kid, activates_in=timedelta(days=activates)))
    tokens = tokens_on(store, clock)

    token = await tokens.issue(user_id=USER, session_id=SESSION, expires_at=END)

    assert part(token, 0)["kid"] == "new"
    assert not await is_refused(tokens, token)
    assert {key["kid"] for key in (await tokens.jwks())["keys"]} == {"old", "new", "future"}


@pytest.mark.parametrize("seen_before", [False, True])
async def test_refuses_the_tokens_of_a_retired_key(store: KeyStore, clock: FixedClock, seen_before: bool) -> None:
    key = a_key("retired later")
    store.put(key)
    tokens = tokens_on(store, clock)
    token = await tokens.issue(user_id=USER, session_id=SESSION, expires_at=END)
    if seen_before:
        await tokens.read(token)

    store.put(replace(key, retires_at=NOW))
    store.put(a_key("successor"))
    clock.advance(timedelta(seconds=5))

    assert await is_refused(tokens, token)
    assert [key["kid"] for key in (await tokens.jwks())["keys"]] == ["successor"]


class Overtaken(KeyStore):
    """Keys of an installation of which another process makes the first, a moment later and yet before this one."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self._clock = clock

    async def add_first(self, key: SigningKey) -> None:
        self._clock.advance(timedelta(milliseconds=1))
        other = Ed25519Keys(CIPHER).make(now=self._clock.now(), activates_at=self._clock.now())
        await super().add_first(other)
        await super().add_first(key)


async def test_signs_with_a_first_key_that_another_process_made_a_moment_later(clock: FixedClock) -> None:
    store = Overtaken(clock)
    tokens = tokens_on(store, clock)

    token = await tokens.issue(user_id=USER, session_id=SESSION, expires_at=END)

    [stored] = await store.all()
    assert stored.activates_at > NOW
    assert part(token, 0)["kid"] == stored.kid
    assert (await tokens.read(token)).session_id == SESSION


class Slow(KeyStore):
    """Keys that are added, and told once there are none, only when they may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_add, self.was_added, self.may_tell = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def add_first(self, key: SigningKey) -> None:
        await self.may_add.wait()
        await super().add_first(key)
        self.was_added.set()

    async def all(self) -> list[SigningKey]:
        keys = await super().all()
        if self.asked == 2:
            await self.may_tell.wait()
        return keys


async def test_signs_though_somebody_looks_for_keys_while_the_first_is_added(clock: FixedClock) -> None:
    store = Slow()
    tokens = tokens_on(store, clock)
    issuing = asyncio.create_task(tokens.issue(user_id=USER, session_id=SESSION, expires_at=END))
    await asyncio.sleep(0)
    clock.advance(timedelta(seconds=6))
    looking = asyncio.create_task(tokens.jwks())
    await asyncio.sleep(0)
    store.may_add.set()
    await store.was_added.wait()
    store.may_tell.set()

    assert (await tokens.read(await issuing)).session_id == SESSION
    assert len((await looking)["keys"]) == 1


class Busy(KeyStore):
    """Keys in a storage where others have a turn meanwhile; it counts the first keys that it is offered."""

    offered = 0

    async def add_first(self, key: SigningKey) -> None:
        self.offered += 1
        await asyncio.sleep(0)
        await super().add_first(key)

    async def all(self) -> list[SigningKey]:
        await asyncio.sleep(0)
        return await super().all()


async def test_many_who_find_no_key_at_once_make_one_and_look_again_together(clock: FixedClock) -> None:
    store = Busy()
    tokens = tokens_on(store, clock)

    issued = [tokens.issue(user_id=USER, session_id=SESSION, expires_at=END) for _ in range(20)]
    kids = {part(token, 0)["kid"] for token in await asyncio.gather(*issued)}

    assert len(kids) == 1
    assert (store.asked, store.offered) == (2, 1)


async def test_signs_nothing_while_no_key_is_active(store: KeyStore, clock: FixedClock) -> None:
    store.put(a_key("future", activates_in=timedelta(days=1)))

    with pytest.raises(Unavailable, match="keys rotate"):
        await tokens_on(store, clock).issue(user_id=USER, session_id=SESSION, expires_at=END)


async def test_says_when_the_keys_were_sealed_under_another_secret(store: KeyStore, clock: FixedClock) -> None:
    await tokens_on(store, clock).issue(user_id=USER, session_id=SESSION, expires_at=END)
    foreign = Cipher(SecretKey(b"another secret"), purpose="signing keys")

    with pytest.raises(ForeignSigningKeys):
        await tokens_on(store, clock, cipher=foreign).issue(user_id=USER, session_id=SESSION, expires_at=END)


async def test_keeps_no_private_key_in_the_clear(token: str, key: OKPKey, store: KeyStore) -> None:
    [stored] = await store.all()

    secret = str(key.as_dict(private=True)["d"])
    assert token
    assert secret not in repr(stored)
    assert secret.encode() not in stored.sealed_private_key


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"], indirect=True)
async def test_a_process_reads_what_another_one_on_the_same_storage_issued(
    container: AsyncContainer, storage: Settings, overrides: tuple[Override, ...]
) -> None:
    here: AccessTokens = await container.get(AccessTokens)
    other_process = container_for(storage, *overrides)
    there: AccessTokens = await other_process.get(AccessTokens)

    token = await there.issue(user_id=USER, session_id=SESSION, expires_at=END)

    assert await here.read(token) == AccessClaims(USER, SESSION, END)
    assert await here.jwks() == await there.jwks()
    await other_process.close()


def a_key(kid: str, *, activates_in: timedelta = timedelta(0)) -> SigningKey:
    """Return a key that signs."""
    parameters: KeyParameters = {"kid": kid}
    pair = OKPKey.generate_key("Ed25519", parameters=parameters)
    public = pair.as_dict(private=False)
    return SigningKey(
        kid=kid,
        public_jwk=json.dumps(public),
        sealed_private_key=CIPHER.seal(json.dumps(pair.as_dict(private=True)).encode(), context=kid),
        created_at=NOW,
        activates_at=NOW + activates_in,
        retires_at=None,
    )
