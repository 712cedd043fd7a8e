"""Keys for one purpose each, and sealing under them."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.security.cipher import Cipher, UnsealableError
from adapters.security.secrets import SecretKey
from tests.builders import SECRET_KEY

SECRET = SecretKey(SECRET_KEY.encode())
CIPHER = Cipher(SECRET, purpose="tests")


def is_sealed(sealed: bytes, *, cipher: Cipher = CIPHER, context: str = "row 1") -> bool:
    try:
        cipher.open(sealed, context=context)
    except UnsealableError:
        return True
    return False


# --- keys


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = {SECRET.derive("one"), SECRET.derive("two"), SecretKey(b"another").derive("one"), SECRET.secret}

    assert len(keys) == 4
    assert len(SECRET.derive("one")) == 32


def test_a_key_is_the_same_in_every_process() -> None:
    # HKDF of RFC 5869 by hand, with an empty salt and one block of output.
    extracted = hmac.digest(bytes(32), SECRET.secret, hashlib.sha256)
    expanded = hmac.digest(extracted, b"portico refresh token\x01", hashlib.sha256)

    assert SECRET.derive("refresh token") == expanded


def test_tells_secrets_apart_without_telling_anything_of_them() -> None:
    assert len(SECRET.id) == 4
    assert SECRET.id == SecretKey(SECRET_KEY.encode()).id
    assert SECRET.id != SecretKey(b"another").id
    assert SECRET.id not in SECRET.derive("key id")
    assert SECRET_KEY not in repr(SECRET)


# --- sealing


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_opens_what_it_sealed(plaintext: bytes, context: str) -> None:
    assert CIPHER.open(CIPHER.seal(plaintext, context=context), context=context) == plaintext


def test_seals_the_same_differently_each_time() -> None:
    sealed = {CIPHER.seal(b"secret", context="row 1") for _ in range(100)}

    assert len(sealed) == 100
    assert not any(b"secret" in each for each in sealed)


def test_refuses_what_was_tampered_with() -> None:
    sealed = CIPHER.seal(b"secret", context="row 1")

    for at in range(len(sealed)):
        for bit in range(8):
            assert is_sealed(sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :])
    for length in range(len(sealed)):
        assert is_sealed(sealed[:length])
    assert is_sealed(sealed + b"\0")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" * 100])
def test_refuses_what_was_never_sealed(sealed: bytes) -> None:
    assert is_sealed(sealed)


def test_opens_in_its_own_place_only() -> None:
    sealed = CIPHER.seal(b"secret", context="row 1")

    assert is_sealed(sealed, context="row 2")
    assert is_sealed(sealed, cipher=Cipher(SECRET, purpose="other tests"))
    assert is_sealed(sealed, cipher=Cipher(SecretKey(b"another"), purpose="tests"))
    assert not is_sealed(sealed)
