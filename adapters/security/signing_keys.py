"""Key pairs for access tokens: Ed25519 (RFC 8037), the private half sealed."""

import json
from datetime import datetime

from joserfc.jwk import OKPKey

from adapters.security.cipher import Cipher, UnsealableError
from application.auth.signing_ports import SigningKey, SigningKeyMaker
from domain.errors import Unavailable

ALGORITHM = "Ed25519"
"""RFC 9864 section 2.2. The only one accepted, whatever a token's header says."""


class ForeignSigningKeys(Unavailable):
    """The signing keys can't be opened."""

    detail = "The signing keys in the database were sealed under another PORTICO_SECRET_KEY. Set that one."


class Ed25519Keys(SigningKeyMaker):
    """Makes key pairs, and opens what it made."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def make(self, *, now: datetime, activates_at: datetime) -> SigningKey:
        pair = OKPKey.generate_key("Ed25519")
        kid = pair.thumbprint()
        public = {"kty": "OKP", "crv": "Ed25519", "x": pair.as_dict(private=False)["x"]}
        return SigningKey(
            kid=kid,
            public_jwk=json.dumps(public | {"kid": kid, "use": "sig", "alg": ALGORITHM}),
            sealed_private_key=self._cipher.seal(json.dumps(pair.as_dict(private=True)).encode(), context=kid),
            created_at=now,
            activates_at=activates_at,
            retires_at=None,
        )

    def check(self, key: SigningKey) -> None:
        self.open(key)

    def open(self, key: SigningKey) -> OKPKey:
        """Return the key pair. Raises ForeignSigningKeys."""
        try:
            return OKPKey.import_key(json.loads(self._cipher.open(key.sealed_private_key, context=key.kid)))
        except UnsealableError as error:
            raise ForeignSigningKeys from error
