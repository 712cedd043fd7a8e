"""API keys: their form, their ends, their scopes."""

import zlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import base62
from domain.access import Scope
from domain.auth.api_key import API_KEY_LIFETIME_MAX, ApiKey, digest_api_key, is_api_key, parse_api_key, parse_scopes
from domain.errors import Invalid
from domain.ids import ApiKeyId, UserId
from tests.builders import an_id
from tests.clock import NOW

SECRET = bytes(range(32))
A_MICROSECOND = timedelta(microseconds=1)


def make(
    *, name: str = "CI", scopes: tuple[str, ...] = ("items:read",), expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    return ApiKey.make(
        ApiKeyId(an_id()),
        owner_id=UserId(an_id()),
        name=name,
        scopes=scopes,
        expires_at=expires_at,
        secret=SECRET,
        now=NOW,
    )


def test_a_key_is_a_mark_an_id_a_secret_and_a_checksum() -> None:
    key, text = make()

    assert text.startswith("ptk_")
    assert len(text) == 75
    assert base62.decode(text[4:26]) == key.id.int
    assert base62.decode(text[26:69]).to_bytes(32) == SECRET
    assert base62.decode(text[69:]) == zlib.crc32(text[:69].encode())
    assert text[4:].isalnum()


def test_a_key_is_known_by_how_it_begins_and_by_its_digest() -> None:
    key, text = make()

    parsed = parse_api_key(text)

    assert parsed == text
    assert (key.prefix, key.digest) == (text[:20], digest_api_key(parsed))
    assert SECRET not in key.digest


@given(st.binary(min_size=32, max_size=32))
def test_every_secret_makes_a_key_that_is_read_again(secret: bytes) -> None:
    _, text = ApiKey.make(
        ApiKeyId(an_id()),
        owner_id=UserId(an_id()),
        name="CI",
        scopes=["items:read"],
        expires_at=None,
        secret=secret,
        now=NOW,
    )

    assert parse_api_key(text) == text


def test_no_prefix_of_a_key_and_no_longer_one_is_read() -> None:
    _, text = make()

    for length in range(len(text)):
        assert parse_api_key(text[:length]) is None
    assert parse_api_key(text + "0") is None
    assert parse_api_key(text + "\n") is None


def test_no_key_with_one_bit_flipped_is_read() -> None:
    _, text = make()

    for place, character in enumerate(text):
        for bit in range(8):
            flipped = text[:place] + chr(ord(character) ^ (1 << bit)) + text[place + 1 :]
            assert parse_api_key(flipped) is None


@pytest.mark.parametrize("text", ["", "ptk_", "ptk_" + "é" * 71, "ptk_" + "\u0661" * 71, "eyJhbGciOiJFZERTQSJ9.e30.x"])
def test_other_things_are_no_keys(text: str) -> None:
    assert parse_api_key(text) is None


def test_what_begins_like_a_key_wants_to_be_one() -> None:
    assert is_api_key("ptk_whatever")
    assert not is_api_key("PTK_whatever")
    assert not is_api_key("eyJ.ptk_")


def test_a_key_without_an_end_ends_after_the_longest_time() -> None:
    key, _ = make()

    assert key.expires_at == NOW + API_KEY_LIFETIME_MAX


@pytest.mark.parametrize("after", [A_MICROSECOND, timedelta(days=30), API_KEY_LIFETIME_MAX])
def test_a_key_ends_when_it_is_told_to(after: timedelta) -> None:
    key, _ = make(expires_at=NOW + after)

    assert key.expires_at == NOW + after


def test_the_end_is_kept_in_utc() -> None:
    key, _ = make(expires_at=datetime(2026, 3, 2, 3, 0, tzinfo=timezone(timedelta(hours=-9))))

    assert key.expires_at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert key.expires_at.tzinfo is UTC


@pytest.mark.parametrize(
    "expires_at",
    [
        pytest.param(NOW, id="now"),
        pytest.param(NOW - A_MICROSECOND, id="past"),
        pytest.param(NOW + API_KEY_LIFETIME_MAX + A_MICROSECOND, id="too far off"),
        pytest.param((NOW + timedelta(days=1)).replace(tzinfo=None), id="no zone"),
        pytest.param(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), id="before the first year"),
        pytest.param(datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))), id="after the last year"),
    ],
)
def test_refuses_other_ends(expires_at: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        make(expires_at=expires_at)

    assert [error.field for error in refused.value.errors] == ["expires_at"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00b", "two\nlines", "\x1b[31mred"])
def test_refuses_names_that_are_no_line(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(name=name)

    assert [error.field for error in refused.value.errors] == ["name"]


def test_scopes_are_put_in_order_each_once() -> None:
    assert parse_scopes(["audit:read", "items:read", "audit:read"]) == (Scope.ITEMS_READ, Scope.AUDIT_READ)


@pytest.mark.parametrize("scopes", [[], ["items:read:any"], ["credentials"], ["items:read", "ITEMS:WRITE"]])
def test_refuses_other_scopes_and_none(scopes: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        parse_scopes(scopes)

    assert [error.field for error in refused.value.errors] == ["scopes"]
