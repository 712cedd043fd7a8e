"""Users, items and sessions, and their verbs."""

from datetime import timedelta

import pytest

from domain.access import Client
from domain.auth.session import Session, SessionLifetimes
from domain.ids import SessionId
from domain.items.item import parse_description, parse_tags, parse_title
from domain.users.user import parse_full_name
from tests.builders import A_DAY_LATER, A_MONTH_LATER, a_session, a_user, an_id, an_item
from tests.clock import NOW

A_MICROSECOND = timedelta(microseconds=1)
LIFETIMES = SessionLifetimes(
    access_token=timedelta(minutes=10),
    idle=timedelta(days=14),
    absolute=timedelta(days=30),
    refresh_grace=timedelta(seconds=10),
)


# --- users


def test_a_user_takes_another_name_or_none() -> None:
    user = a_user(full_name="Ada")

    user.rename(parse_full_name("Augusta Ada"), now=A_DAY_LATER)
    assert (user.full_name, user.updated_at) == ("Augusta Ada", A_DAY_LATER)

    user.rename(None, now=A_MONTH_LATER)
    assert (user.full_name, user.updated_at) == (None, A_MONTH_LATER)


def test_a_user_is_rehashed() -> None:
    user = a_user(password_hash="cheap")

    user.rehash_password("costly", now=A_DAY_LATER)

    assert (user.password_hash, user.updated_at, user.version) == ("costly", A_DAY_LATER, 2)


def test_a_user_becomes_the_next_version_of_what_was_loaded_however_often_it_is_changed() -> None:
    user = a_user(version=7)

    user.rename(None, now=NOW)
    user.rehash_password("costly", now=NOW)
    user.rename(parse_full_name("Ada"), now=NOW)

    assert user.version == 8


def test_a_user_keeps_its_birthday() -> None:
    user = a_user(created_at=NOW)

    user.rename(None, now=A_DAY_LATER)

    assert user.created_at == NOW


# --- items


def test_an_item_is_edited_as_a_whole() -> None:
    item = an_item(a_user(), title="Milk", description="Half fat", tags=("food",))

    item.edit(title=parse_title("Oats"), description=None, tags=parse_tags(["dry"]), now=A_DAY_LATER)

    assert (item.title, item.description, item.tags) == ("Oats", None, ("dry",))
    assert (item.created_at, item.updated_at, item.version) == (NOW, A_DAY_LATER, 2)


def test_an_item_becomes_the_next_version_however_often_it_is_edited() -> None:
    item = an_item(a_user())

    for text in ("one", "two"):
        item.edit(title=parse_title(text), description=parse_description(text), tags=(), now=NOW)

    assert item.version == 2


# --- sessions


def open_session(lifetimes: SessionLifetimes = LIFETIMES) -> Session:
    client = Client(ip="192.0.2.1", user_agent="curl")
    return Session.open(SessionId(an_id()), user_id=a_user().id, client=client, lifetimes=lifetimes, now=NOW)


def test_a_session_begins_with_its_first_token() -> None:
    session = open_session()

    assert (session.counter, session.created_at, session.last_used_at, session.revoked_at) == (1, NOW, NOW, None)
    assert session.idle_expires_at == NOW + timedelta(days=14)
    assert session.expires_at == NOW + timedelta(days=30)
    assert (session.ip, session.user_agent) == ("192.0.2.1", "curl")


def test_a_session_is_never_idle_beyond_its_end() -> None:
    lifetimes = SessionLifetimes(
        access_token=timedelta(minutes=10),
        idle=timedelta(days=60),
        absolute=timedelta(days=30),
        refresh_grace=timedelta(0),
    )

    session = open_session(lifetimes)

    assert session.idle_expires_at == session.expires_at == NOW + timedelta(days=30)


def test_a_session_lives_until_it_is_idle_or_old_or_revoked() -> None:
    session = a_session(a_user(), idle_expires_at=A_DAY_LATER, expires_at=A_MONTH_LATER)
    old = a_session(a_user(), idle_expires_at=A_MONTH_LATER, expires_at=A_DAY_LATER)

    for each in (session, old):
        assert each.is_live(NOW)
        assert each.is_live(A_DAY_LATER - A_MICROSECOND)
        assert not each.is_live(A_DAY_LATER)

    session.revoke(NOW)
    assert not session.is_live(NOW)


def test_a_session_ends_once() -> None:
    session = a_session(a_user())

    session.revoke(NOW)
    session.revoke(A_DAY_LATER)

    assert session.revoked_at == NOW


@pytest.mark.parametrize("counter", [2, 4, 5, 6])
def test_a_session_answers_again_only_for_the_token_just_spent(counter: int) -> None:
    session = a_session(a_user(), counter=4)

    assert not session.answers_again(counter, grace=timedelta(seconds=10), now=NOW)
    assert session.answers_again(3, grace=timedelta(seconds=10), now=NOW)


def test_a_session_answers_again_only_within_the_grace() -> None:
    session = a_session(a_user(), counter=2)

    assert session.answers_again(1, grace=timedelta(seconds=10), now=NOW + timedelta(seconds=10) - A_MICROSECOND)
    assert not session.answers_again(1, grace=timedelta(seconds=10), now=NOW + timedelta(seconds=10))
    assert not session.answers_again(1, grace=timedelta(0), now=NOW)
