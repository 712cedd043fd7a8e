"""The list of common passwords."""

import subprocess
import sys
import time
from itertools import pairwise

import pytest

from adapters.security.blocklist import ZxcvbnCommonPasswords
from application.auth.policy import PasswordPolicy
from domain.auth.password import PASSWORD_FLOOR
from domain.errors import Invalid
from domain.users.email import parse_email

POLICY = PasswordPolicy(shortest=PASSWORD_FLOOR, common=ZxcvbnCommonPasswords())


def frequency_list() -> list[str]:
    """Return zxcvbn's list, the most frequent first, as the package itself has it."""
    program = "from zxcvbn.frequency_lists import FREQUENCY_LISTS as lists; print(*lists['passwords'], sep='\\n')"
    return run(program).splitlines()


def run(program: str) -> str:
    """Return what a program printed."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own


@pytest.mark.process
def test_refuses_each_of_the_3000_most_frequent_that_are_long_enough() -> None:
    """ASVS 5.0 6.2.4."""
    frequent = [password for password in frequency_list() if len(password) >= PASSWORD_FLOOR][:3000]
    assert len(frequent) == 3000

    for password in frequent:
        for spelling in (password, password.upper(), password + password, password.title() + "2026!"):
            with pytest.raises(Invalid):
                POLICY.parse(spelling, email=parse_email("ann@example.org"), full_name=None)


def test_has_a_word_and_not_another() -> None:
    common = ZxcvbnCommonPasswords()

    assert "trustno1" in common
    assert "correct horse battery staple" not in common


@pytest.mark.process
def test_has_each_word_of_the_list_and_no_part_of_one_nor_several() -> None:
    common, words = ZxcvbnCommonPasswords(), frequency_list()
    parts = {part for word in words for part in (word[1:], word[:-1])} - set(words)
    pairs = set(map("".join, pairwise(sorted(words)))) - set(words)

    assert len(words) == 30_000
    assert [word for word in words if word not in common] == []
    assert [part for part in list(parts)[::10] if part in common] == []
    assert [pair for pair in list(pairs)[::10] if pair in common] == []
    assert "" not in common


@pytest.mark.process
def test_is_read_once_and_without_the_estimator() -> None:
    program = (
        "import sys; from adapters.security.blocklist import ZxcvbnCommonPasswords as Common; common = Common();"
        "assert 'password' in common; assert not [name for name in sys.modules if name.startswith('zxcvbn.')]"
    )

    assert run(program) == ""


def test_judges_a_password_in_no_time() -> None:
    address = parse_email("ann@example.org")
    POLICY.parse("correct horse battery staple", email=address, full_name="Ann")

    before = time.process_time()
    for _ in range(100):
        POLICY.parse("correct horse battery staple " * 4 + "end", email=address, full_name="Ann Smith")
    assert time.process_time() - before < 1
