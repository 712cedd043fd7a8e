"""Passwords, links by mail, and addresses: proved through the real unit of work, on each storage."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest

from adapters.sql.engines import Engines
from application.outbox import LetterTemplate
from domain.auth.one_time_token import CONFIRMATION_LIFETIME, RESET_LIFETIME
from entrypoints.settings import Settings
from tests.api import Api, Person, pointers, problem, serve
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.containers import Override
from tests.mailbox import Mailbox, Sent

NEW_PASSWORD = "a better password than before"
A_SECOND = timedelta(seconds=1)

VERIFY, RESET, CHANGE = LetterTemplate.VERIFY_EMAIL, LetterTemplate.RESET_PASSWORD, LetterTemplate.CONFIRM_NEW_EMAIL


@pytest.fixture
def mailbox(storage: Settings, engines_of: Callable[[str], Engines]) -> Mailbox:
    """Provide a look into the outbox."""
    return Mailbox(storage, engines_of)


@pytest.fixture
async def api(storage: Settings, overrides: tuple[Override, ...], mailbox: Mailbox) -> AsyncIterator[Api]:
    """Provide the API on each storage."""
    async with serve(storage, *overrides, mailbox) as api:
        yield api


async def forget(api: Api, email: str) -> httpx.Response:
    return await api.post("/auth/password/forgot", json={"email": email})


async def reset(api: Api, token: str, password: str = NEW_PASSWORD) -> httpx.Response:
    return await api.post("/auth/password/reset", json={"token": token, "new_password": password})


async def change(api: Api, person: Person, current: str = PASSWORD, new: str = NEW_PASSWORD) -> httpx.Response:
    body = {"current_password": current, "new_password": new}
    return await api.post("/auth/password/change", person, json=body)


async def confirm(api: Api, token: str, **more: str) -> httpx.Response:
    return await api.post("/auth/email/verify", json={"token": token} | more)


async def move(api: Api, person: Person, email: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/users/me/email", person, json={"email": email, "password": password})


async def another_session(api: Api, person: Person, password: str = PASSWORD) -> Person:
    answer = await api.login(person.email, password)
    assert answer.status_code == 200, answer.text
    return Person(id=person.id, email=person.email, tokens=answer.json())


async def is_signed_in(api: Api, person: Person) -> bool:
    status = (await api.get("/users/me", person)).status_code
    refreshed = await api.post("/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]})
    assert (status, refreshed.status_code) in ((200, 200), (401, 401))
    return status == 200


async def email_verified(api: Api, person: Person) -> bool:
    return bool((await api.get("/users/me", person)).json()["email_verified"])


def is_refused(answer: httpx.Response) -> None:
    """Assert that the link is refused, in the one way in which links are."""
    body = problem(answer, 422, "invalid_or_expired_token")
    assert body["errors"] == [{"pointer": "/token", "detail": "is unknown, used or expired"}]
    assert body["detail"] == "The link was used before, has expired, or is for something else. Ask for a new one."


# --- changing the password


async def test_changing_the_password_ends_every_other_session(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()
    elsewhere = await another_session(api, ann)

    answer = await change(api, ann)

    assert (answer.status_code, answer.content) == (204, b"")
    assert not await is_signed_in(api, elsewhere)
    assert await is_signed_in(api, ann)
    assert (await api.login(ann.email)).status_code == 401
    assert (await api.login(ann.email, NEW_PASSWORD)).status_code == 200
    assert await mailbox.last(ann.email, LetterTemplate.PASSWORD_CHANGED) == Sent(
        LetterTemplate.PASSWORD_CHANGED, ann.email, {}
    )


async def test_changing_the_password_takes_the_present_one(api: Api) -> None:
    ann = await api.a_person()
    elsewhere = await another_session(api, ann)

    answer = await change(api, ann, current="not the password of ann")

    problem(answer, 403, "wrong_password")
    assert await is_signed_in(api, elsewhere)
    assert (await api.login(ann.email)).status_code == 200


async def test_the_present_password_can_not_be_guessed_with_a_session_alone(api: Api) -> None:
    ann = await api.a_person()

    answers = [await change(api, ann, current=f"guess number {number}") for number in range(11)]

    assert [answer.status_code for answer in answers] == [403] * 10 + [429]
    problem(await change(api, ann), 429, "too_many_requests")
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_new_password_is_judged_wherever_it_is_set(api: Api, mailbox: Mailbox) -> None:
    email, name = "ann@example.org", "Ann Lovelace"
    await api.post("/users", json={"email": email, "password": PASSWORD, "full_name": name})
    ann = Person(id="", email=email, tokens=(await api.login(email)).json())
    await forget(api, email)
    token = (await mailbox.last(email, RESET)).token

    for weak in ("too short", "passwordpassword", "123456789012345", "portico2026!!!!", "Ann.Lovelace-1815", "x" * 129):
        signed_up = await api.post("/users", json={"email": an_email(), "password": weak, "full_name": name})
        assert pointers(signed_up) == ["/password"]
        assert pointers(await change(api, ann, new=weak)) == ["/new_password"]
        assert pointers(await reset(api, token, weak)) == ["/new_password"]

    assert (await api.login(email)).status_code == 200
    assert (await reset(api, token)).status_code == 204


async def test_changing_the_password_kills_links_that_are_under_way(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()
    await forget(api, ann.email)
    await move(api, ann, an_email())
    letters = await mailbox.letters()
    resetting = next(letter.token for letter in letters if letter.template is RESET)
    moving = next(letter.token for letter in letters if letter.template is CHANGE)

    await change(api, ann)

    is_refused(await reset(api, resetting))
    is_refused(await confirm(api, moving))


async def test_of_two_changes_at_once_one_wins(api: Api) -> None:
    ann = await api.a_person()
    passwords = [f"a better password, number {number}" for number in range(4)]

    answers = await asyncio.gather(*(change(api, ann, new=password) for password in passwords))

    assert sorted(answer.status_code for answer in answers) == [204, 403, 403, 403]
    works = [(await api.login(ann.email, password)).status_code == 200 for password in passwords]
    assert works == [answer.status_code == 204 for answer in answers]


# --- a forgotten password


async def test_a_forgotten_password_is_replaced_by_the_link_in_a_letter(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()

    asked = await forget(api, f" {ann.email.upper()}")
    letter = await mailbox.last(ann.email, RESET)
    answer = await reset(api, letter.token)

    assert (asked.status_code, asked.content) == (202, b"")
    assert letter.data == {"link": f"http://127.0.0.1:8000/account/reset#token={letter.token}"}
    assert len(letter.token) == 43
    assert (answer.status_code, answer.content) == (204, b"")
    assert "set-cookie" not in answer.headers
    assert not await is_signed_in(api, ann)
    assert (await api.login(ann.email)).status_code == 401
    assert await email_verified(api, await another_session(api, ann, NEW_PASSWORD))
    await mailbox.last(ann.email, LetterTemplate.PASSWORD_CHANGED)


async def test_a_reset_link_works_once_also_in_parallel(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()
    await forget(api, ann.email)
    token = (await mailbox.last(ann.email, RESET)).token
    passwords = [f"a better password, number {number}" for number in range(10)]

    answers = await asyncio.gather(*(reset(api, token, password) for password in passwords))

    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 9
    works = [(await api.login(ann.email, password)).status_code == 200 for password in passwords]
    assert works == [answer.status_code == 204 for answer in answers]
    is_refused(await reset(api, token))


async def test_a_reset_link_lives_for_half_an_hour(api: Api, mailbox: Mailbox, clock: FixedClock) -> None:
    ann, bob = await api.a_person(), await api.a_person()
    await forget(api, ann.email)
    await forget(api, bob.email)

    clock.advance(RESET_LIFETIME - A_SECOND)
    assert (await reset(api, (await mailbox.last(ann.email, RESET)).token)).status_code == 204
    clock.advance(A_SECOND)
    is_refused(await reset(api, (await mailbox.last(bob.email, RESET)).token))


async def test_a_new_reset_link_kills_the_one_before(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()
    await forget(api, ann.email)
    first = (await mailbox.last(ann.email, RESET)).token
    await forget(api, ann.email)
    second = (await mailbox.last(ann.email, RESET)).token

    is_refused(await reset(api, first))
    assert (await reset(api, second)).status_code == 204


async def test_nothing_but_the_whole_link_resets(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_new_person()
    verifying = (await mailbox.last(ann.email, VERIFY)).token
    await move(api, ann, new_address := an_email())
    moving = (await mailbox.last(new_address, CHANGE)).token
    await forget(api, ann.email)
    token = (await mailbox.last(ann.email, RESET)).token
    flipped = chr(ord(token[0]) ^ 1) + token[1:]

    for other in ("", token[:-1], token[1:], flipped, token.swapcase(), token + "=", f" {token}", verifying, moving):
        is_refused(await reset(api, other))
    is_refused(await reset(api, ann.tokens["refresh_token"]))
    is_refused(await confirm(api, token))
    assert (await api.login(ann.email)).status_code == 200
    assert (await reset(api, token)).status_code == 204


async def test_a_deactivated_account_gets_no_link_and_no_password(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_new_person()
    await forget(api, ann.email)
    token = (await mailbox.last(ann.email, RESET)).token
    verifying = next(letter.token for letter in await mailbox.letters(ann.email) if letter.template is VERIFY)
    await mailbox.deactivate(ann.email)

    answer = await forget(api, ann.email)

    assert (answer.status_code, answer.content) == (202, b"")
    assert (await mailbox.last(ann.email, RESET)).token == token
    is_refused(await reset(api, token))
    is_refused(await confirm(api, verifying))


async def test_letters_to_one_address_are_few_however_it_is_spelled_and_whoever_has_it(api: Api) -> None:
    ann = await api.a_person()

    for email in (ann.email, "nobody@example.org"):
        spellings = [email, email.upper(), f" {email}", email]
        statuses = [(await forget(api, spelling)).status_code for spelling in spellings]
        assert statuses == [202, 202, 202, 429]


async def test_one_place_has_few_letters_sent(api: Api) -> None:
    statuses = [(await forget(api, f"nobody-{number}@example.org")).status_code for number in range(21)]

    assert statuses == [202] * 20 + [429]


async def test_no_header_changes_where_a_link_leads(api: Api, mailbox: Mailbox) -> None:
    """supabase/auth GHSA-3529-5m8x-rpv3."""
    ann = await api.a_person()
    lies = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil.example",
        "Referer": "https://evil.example/",
        "Origin": "https://evil.example",
    }

    await api.post("/auth/password/forgot", json={"email": ann.email}, headers=lies)

    link = (await mailbox.last(ann.email, RESET)).data["link"]
    assert link.startswith("http://127.0.0.1:8000/account/reset#token=")


# --- proving the address


async def test_a_sign_up_sends_a_link_that_proves_the_address(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_new_person()
    letter = await mailbox.last(ann.email, VERIFY)

    assert not await email_verified(api, ann)
    answer = await confirm(api, letter.token)

    assert letter.data == {"link": f"http://127.0.0.1:8000/account/verify#token={letter.token}"}
    assert (answer.status_code, answer.content) == (204, b"")
    assert await email_verified(api, ann)
    is_refused(await confirm(api, letter.token))


async def test_the_link_is_sent_again_and_the_first_one_is_dead(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_new_person()
    first = (await mailbox.last(ann.email, VERIFY)).token

    answer = await api.post("/auth/email/verification", ann)

    assert (answer.status_code, answer.content) == (202, b"")
    second = (await mailbox.last(ann.email, VERIFY)).token
    is_refused(await confirm(api, first))
    assert (await confirm(api, second)).status_code == 204


async def test_a_proved_address_gets_no_other_link(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_new_person()
    await confirm(api, (await mailbox.last(ann.email, VERIFY)).token)

    answer = await api.post("/auth/email/verification", ann)

    assert (answer.status_code, answer.content) == (202, b"")
    assert len(await mailbox.letters(ann.email)) == 1


async def test_the_link_is_sent_again_a_few_times_only(api: Api) -> None:
    ann = await api.a_person()

    answers = [await api.post("/auth/email/verification", ann) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    problem(await api.post("/auth/email/verification"), 401, "unauthenticated")


async def test_the_link_lives_for_a_day(api: Api, mailbox: Mailbox, clock: FixedClock) -> None:
    ann, bob = await api.a_new_person(), await api.a_new_person()

    clock.advance(CONFIRMATION_LIFETIME - A_SECOND)
    assert (await confirm(api, (await mailbox.last(ann.email, VERIFY)).token)).status_code == 204
    clock.advance(A_SECOND)
    is_refused(await confirm(api, (await mailbox.last(bob.email, VERIFY)).token))


async def test_a_password_that_is_given_with_the_link_must_be_the_account_s(api: Api, mailbox: Mailbox) -> None:
    """Nobody confirms, unknowing, an account that somebody else made with their address."""
    ann = await api.a_new_person()
    token = (await mailbox.last(ann.email, VERIFY)).token

    problem(await confirm(api, token, password="not the password of ann"), 403, "wrong_password")
    assert not await email_verified(api, ann)

    assert (await confirm(api, token, password=PASSWORD)).status_code == 204
    assert await email_verified(api, ann)


# --- another address


async def test_the_address_changes_once_the_new_one_confirms(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()
    new = an_email()

    asked = await move(api, ann, f" {new.upper()} ")

    assert (asked.status_code, asked.content) == (202, b"")
    assert (await api.get("/users/me", ann)).json()["email"] == ann.email
    told = await mailbox.last(ann.email, LetterTemplate.EMAIL_CHANGE_REQUESTED)
    assert told.data == {"new_email": new}
    letter = await mailbox.last(new, CHANGE)
    assert letter.data == {"link": f"http://127.0.0.1:8000/account/email#token={letter.token}"}

    assert (await confirm(api, letter.token)).status_code == 204

    account = (await api.get("/users/me", ann)).json()
    assert (account["email"], account["email_verified"]) == (new, True)
    assert (await mailbox.last(ann.email, LetterTemplate.EMAIL_CHANGED)).data == {"new_email": new}
    assert (await api.login(ann.email)).status_code == 401
    assert (await api.login(new)).status_code == 200
    is_refused(await confirm(api, letter.token))


async def test_changing_the_address_takes_the_password(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()
    new = an_email()

    problem(await move(api, ann, new, password="not the password of ann"), 403, "wrong_password")
    assert await mailbox.letters(new) == []


async def test_an_account_can_not_move_to_its_own_address(api: Api) -> None:
    ann = await api.a_person()

    assert pointers(await move(api, ann, ann.email.upper())) == ["/email"]
    assert pointers(await move(api, ann, "nonsense")) == ["/email"]


async def test_a_taken_address_looks_like_a_free_one_and_its_owner_is_told(api: Api, mailbox: Mailbox) -> None:
    ann, bob = await api.a_person(), await api.a_person()

    to_a_free_one = await move(api, ann, free := an_email())
    to_a_taken_one = await move(api, ann, bob.email)

    assert (to_a_taken_one.status_code, to_a_taken_one.content) == (to_a_free_one.status_code, to_a_free_one.content)
    letter = await mailbox.last(bob.email, LetterTemplate.ALREADY_REGISTERED)
    assert letter.data == {"link": "http://127.0.0.1:8000/account/reset"}
    assert (await mailbox.last(ann.email, LetterTemplate.EMAIL_CHANGE_REQUESTED)).data == {"new_email": bob.email}
    # The change that was asked for first is void in both cases alike.
    is_refused(await confirm(api, (await mailbox.last(free, CHANGE)).token))


async def test_an_address_that_was_taken_meanwhile_is_refused_only_then(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_person()
    await move(api, ann, new := an_email())
    token = (await mailbox.last(new, CHANGE)).token
    await api.a_person(new)

    problem(await confirm(api, token), 409, "email_taken")

    assert (await api.get("/users/me", ann)).json()["email"] == ann.email


async def test_of_two_who_confirm_one_address_at_once_one_has_it(api: Api, mailbox: Mailbox) -> None:
    people = [await api.a_person() for _ in range(3)]
    new = an_email()
    for person in people:
        await move(api, person, new)
    tokens = [letter.token for letter in await mailbox.letters(new)]

    answers = await asyncio.gather(*(confirm(api, token) for token in tokens))

    assert sorted(answer.status_code for answer in answers) == [204, 409, 409]


async def test_links_to_the_address_that_was_left_are_dead(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_new_person()
    verifying = (await mailbox.last(ann.email, VERIFY)).token
    await forget(api, ann.email)
    resetting = (await mailbox.last(ann.email, RESET)).token
    await move(api, ann, new := an_email())
    await confirm(api, (await mailbox.last(new, CHANGE)).token)

    is_refused(await reset(api, resetting))
    is_refused(await confirm(api, verifying))


async def test_a_reset_kills_a_change_of_address_that_is_under_way(api: Api, mailbox: Mailbox) -> None:
    """Whoever held the account before must not take it back with a letter that they got then."""
    ann = await api.a_person()
    await move(api, ann, thief := an_email())
    await forget(api, ann.email)
    await reset(api, (await mailbox.last(ann.email, RESET)).token)

    is_refused(await confirm(api, (await mailbox.last(thief, CHANGE)).token))


async def test_an_administrator_who_changes_an_address_voids_the_links_of_the_old_one(
    api: Api, mailbox: Mailbox
) -> None:
    ann, admin = await api.a_person(), await api.a_person()
    await mailbox.promote(admin.email)
    admin = await another_session(api, admin)
    await move(api, ann, under_way := an_email())
    new = an_email()

    edited = await api.patch(f"/users/{ann.id}", admin, json={"email": new})

    assert (edited.status_code, edited.json()["email_verified"]) == (200, False)
    is_refused(await confirm(api, (await mailbox.last(under_way, CHANGE)).token))
    assert (await confirm(api, (await mailbox.last(new, VERIFY)).token)).status_code == 204
    assert await email_verified(api, ann)


# --- what is written down


async def test_each_step_is_recorded_without_a_personal_datum(api: Api, mailbox: Mailbox) -> None:
    ann = await api.a_new_person()
    await confirm(api, (await mailbox.last(ann.email, VERIFY)).token)
    await change(api, ann, current="not the password of ann")
    await change(api, ann)
    await forget(api, ann.email)
    await forget(api, "nobody@example.org")
    await reset(api, (await mailbox.last(ann.email, RESET)).token, PASSWORD)
    ann = await another_session(api, ann)
    await move(api, ann, new := an_email())
    await confirm(api, (await mailbox.last(new, CHANGE)).token)

    events = await mailbox.audit_events()

    assert [event.action for event in events if event.action != "login.succeeded"] == [
        "user.registered",
        "user.email_verified",
        "login.failed",
        "password.changed",
        "password.reset_requested",
        "password.reset_requested",
        "password.reset",
        "user.email_change_requested",
        "user.email_changed",
    ]
    subjects = [str(event.subject_id) for event in events if event.action != "login.succeeded"]
    assert subjects == [ann.id] * 5 + ["None"] + [ann.id] * 3
    assert "@" not in "".join(event.data for event in events)
