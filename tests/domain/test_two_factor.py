"""Codes as people type them, and the tokens of sign-ins that wait for one."""

from datetime import timedelta

import pytest

from domain import base62
from domain.auth.two_factor import (
    MfaChallenge,
    RecoveryCode,
    TotpFactor,
    digest_mfa_token,
    digest_recovery_code,
    make_recovery_code,
    parse_mfa_token,
    parse_recovery_code,
    parse_totp_code,
    show_recovery_code,
)
from domain.ids import MfaChallengeId, UserId
from tests.builders import an_id
from tests.clock import NOW

CODE = make_recovery_code(bytes(range(15)))


@pytest.mark.parametrize("typed", ["012345", "012 345", " 012345 ", "01-23-45"])
def test_reads_six_digits_however_they_are_typed(typed: str) -> None:
    assert parse_totp_code(typed) == "012345"


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "¹²³⁴⁵⁶", "012345\n", "+12345", "0x1234"]
)
def test_reads_nothing_else_as_six_digits(typed: str) -> None:
    assert parse_totp_code(typed) is None


def test_a_recovery_code_is_shown_in_groups_of_four() -> None:
    shown = show_recovery_code(CODE)

    assert [len(group) for group in shown.split("-")] == [4] * 6
    assert parse_recovery_code(shown) == CODE


SHOWN = show_recovery_code(CODE)


@pytest.mark.parametrize("typed", [SHOWN, SHOWN.lower(), SHOWN.replace("-", " "), f" {CODE} "])
def test_reads_a_recovery_code_however_it_is_typed(typed: str) -> None:
    assert parse_recovery_code(typed) == CODE


@pytest.mark.parametrize("typed", ["", "123456", CODE[:-1], CODE + "A", CODE[:-1] + "1", CODE[:-1] + "ı", CODE + "\n"])
def test_reads_nothing_else_as_a_recovery_code(typed: str) -> None:
    assert parse_recovery_code(typed) is None


def test_of_a_recovery_code_only_a_digest_is_kept() -> None:
    assert len(digest_recovery_code(CODE)) == 32
    assert digest_recovery_code(CODE) != digest_recovery_code(RecoveryCode(CODE[::-1]))


def test_a_factor_is_on_once_it_was_confirmed() -> None:
    pending = TotpFactor(user_id=UserId(an_id()), sealed_seed=b"", created_at=NOW)
    on = TotpFactor(user_id=UserId(an_id()), sealed_seed=b"", created_at=NOW, confirmed_at=NOW)

    assert (pending.is_on, on.is_on) == (False, True)


def a_challenge(secret: bytes = bytes(32)) -> tuple[MfaChallenge, str]:
    return MfaChallenge.open(
        MfaChallengeId(an_id()), user_id=UserId(an_id()), password_hash="one", secret=secret, now=NOW
    )


def test_a_token_names_its_challenge() -> None:
    challenge, token = a_challenge(b"\xff" * 32)

    assert token.startswith("mfa_")
    assert parse_mfa_token(token) == challenge.id
    assert challenge.digest == digest_mfa_token(token, password_hash="one")
    assert challenge.expires_at - challenge.created_at == timedelta(minutes=5)


def test_a_token_dies_with_the_password() -> None:
    challenge, token = a_challenge()

    assert challenge.digest != digest_mfa_token(token, password_hash="another")


def test_a_token_is_nothing_without_its_secret() -> None:
    challenge, token = a_challenge()

    for place in range(len(token)):
        other = "1" if token[place] == "0" else "0"
        changed = token[:place] + other + token[place + 1 :]
        assert parse_mfa_token(changed) != challenge.id or digest_mfa_token(changed, password_hash="one") != (
            challenge.digest
        )


def test_other_things_are_no_tokens() -> None:
    _, token = a_challenge()
    beyond = f"mfa_{base62.encode(1 << 128, width=22)}{token[26:]}"

    for text in ("", token[:-1], token + "0", token + "\n", token.upper(), token.replace("mfa_", "ptk_"), beyond):
        assert parse_mfa_token(text) is None
