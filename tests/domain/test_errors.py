"""Errors say what is so, to people and to programs."""

import importlib
import pkgutil
import re

import pytest

import domain
from domain.errors import (
    Conflict,
    DomainError,
    FieldError,
    Forbidden,
    Invalid,
    Limited,
    NotFound,
    Stale,
    Unauthenticated,
    Unavailable,
)

KINDS = (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, Stale, Limited, Unavailable)


def subclasses(kind: type[DomainError]) -> list[type[DomainError]]:
    return [each for child in kind.__subclasses__() for each in (child, *subclasses(child))]


for module in pkgutil.walk_packages(domain.__path__, "domain."):
    importlib.import_module(module.name)
ALL = [error for error in subclasses(DomainError) if error.__module__.startswith("domain.")]
EVERY_ERROR = pytest.mark.parametrize("error", ALL, ids=[error.__name__ for error in ALL])


@EVERY_ERROR
def test_has_exactly_one_kind(error: type[DomainError]) -> None:
    assert len([kind for kind in KINDS if issubclass(error, kind)]) == 1


@EVERY_ERROR
def test_has_a_stable_code_and_a_title(error: type[DomainError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert re.fullmatch(r"[A-Z][^.]+", error.title())


@EVERY_ERROR
def test_details_are_sentences(error: type[DomainError]) -> None:
    assert error.detail == "" or re.fullmatch(r"[A-Z].+\.", error.detail)
    if error not in (Invalid, Forbidden, NotFound, Conflict):
        assert error.detail


def test_codes_of_different_kinds_differ() -> None:
    kinds = {kind.code for kind in KINDS}

    assert len(kinds) == len(KINDS)


def test_tells_its_own_detail_or_the_one_given() -> None:
    assert str(Stale()) == Stale.detail
    assert str(Stale("Somebody was faster.")) == "Somebody was faster."
    assert str(Limited(retry_after=7)) == Limited.detail
    assert (Limited(retry_after=7).retry_after, Unavailable().retry_after) == (7, 1)


def test_names_every_rule_that_is_broken() -> None:
    refusal = Invalid(FieldError("title", "must not be blank"), FieldError("tags/2", "must not be blank"))

    assert [error.field for error in refusal.errors] == ["title", "tags/2"]
    assert str(refusal) == "title: must not be blank; tags/2: must not be blank"
