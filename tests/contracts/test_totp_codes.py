"""`TotpCodes`: what authenticators agree on (RFC 6238), one step early or late."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from adapters.security.cipher import Cipher
from adapters.security.random_bytes import OsRandomBytes
from adapters.security.secrets import SecretKey
from adapters.security.totp import ForeignSeed, PyotpTotpCodes
from application.auth.ports import RandomBytes
from application.auth.two_factor_ports import TotpEnrolment
from domain.auth.two_factor import TotpCode, TotpFactor
from domain.ids import UserId
from tests.builders import an_id
from tests.clock import NOW

A_STEP = timedelta(seconds=30)
RFC_SEED = b"12345678901234567890"


def a_cipher(secret: bytes = b"one installation") -> Cipher:
    return Cipher(SecretKey(secret), purpose="totp seeds")


class FixedBytes(RandomBytes):
    def __call__(self, count: int) -> bytes:
        return RFC_SEED[:count]


def codes(*, random: RandomBytes | None = None, cipher: Cipher | None = None) -> PyotpTotpCodes:
    return PyotpTotpCodes(cipher or a_cipher(), random or OsRandomBytes(), issuer="Portico (example.org)")


def enrol(totp_codes: PyotpTotpCodes) -> tuple[TotpFactor, TotpEnrolment]:
    user_id = UserId(an_id())
    enrolment = totp_codes.enrol(user_id, account="ann@example.org")
    return TotpFactor(user_id=user_id, sealed_seed=enrolment.sealed_seed, created_at=NOW), enrolment


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_accepts_the_codes_of_the_standard(seconds: int, code: str) -> None:
    totp_codes = codes(random=FixedBytes())
    factor, _ = enrol(totp_codes)

    assert totp_codes.step_of(factor, TotpCode(code), now=datetime.fromtimestamp(seconds, UTC)) == seconds // 30


def test_a_seed_has_160_bits_and_is_another_each_time() -> None:
    totp_codes = codes()

    secrets = [enrol(totp_codes)[1].secret for _ in range(2)]

    assert [len(base64.b32decode(secret)) for secret in secrets] == [20, 20]
    assert secrets[0] != secrets[1]


def test_authenticators_are_told_all_they_need() -> None:
    _, enrolment = enrol(codes())

    uri = urlsplit(enrolment.otpauth_uri)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Portico (example.org):ann@example.org"
    assert parse_qs(uri.query) == {"secret": [enrolment.secret], "issuer": ["Portico (example.org)"]}


@pytest.mark.parametrize(("off", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_tolerates_one_step(off: int, accepted: bool) -> None:
    totp_codes = codes()
    factor, enrolment = enrol(totp_codes)
    present = int(NOW.timestamp()) // 30
    code = TotpCode(pyotp.TOTP(enrolment.secret).at(NOW + off * A_STEP))

    assert totp_codes.step_of(factor, code, now=NOW) == (present + off if accepted else None)


def test_of_two_steps_with_the_same_code_it_is_the_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    totp_codes = codes()
    factor, _ = enrol(totp_codes)
    monkeypatch.setattr(pyotp.TOTP, "generate_otp", lambda _self, _step: "123456")

    assert totp_codes.step_of(factor, TotpCode("123456"), now=NOW) == int(NOW.timestamp()) // 30 + 1


def test_a_seed_is_sealed_for_its_owner() -> None:
    totp_codes = codes(random=FixedBytes())
    factor, _ = enrol(totp_codes)

    assert RFC_SEED not in factor.sealed_seed
    with pytest.raises(ForeignSeed):
        totp_codes.step_of(replace(factor, user_id=UserId(an_id())), TotpCode("123456"), now=NOW)


def test_a_seed_of_another_installation_is_not_opened() -> None:
    factor, _ = enrol(codes())

    with pytest.raises(ForeignSeed):
        codes(cipher=a_cipher(b"another installation")).step_of(factor, TotpCode("123456"), now=NOW)


def test_random_bytes_are_as_many_as_asked_for_and_never_the_same() -> None:
    random = OsRandomBytes()

    assert len(random(15)) == 15
    assert random(32) != random(32)
