"""Whatever people do in whatever order: no dead credential works, and every live one does."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.memory.outbox import LETTERS
from adapters.memory.store import MemoryStore
from application.auth.accounts import EditUser
from application.outbox import Letter, LetterTemplate
from domain.access import Actor
from domain.ids import UserId
from tests.api import Api, serve
from tests.builders import PASSWORD, an_email
from tests.clock import FixedClock
from tests.containers import Overrides, settings_for
from tests.units import use

ACCESS = timedelta(minutes=10, seconds=5)
"""An access token's life and the leeway."""
IDLE = timedelta(days=14)
GRACE = timedelta(seconds=10)


@dataclass
class Session:
    """What the model knows of one sign-in."""

    refresh_tokens: list[str]
    access_tokens: list[tuple[str, Any]]
    used_at: Any
    live: bool = True


@dataclass
class Account:
    """What the model knows of one account."""

    id: str
    email: str
    password: str = PASSWORD
    active: bool = True
    seed: str | None = None
    step: int = 0
    sessions: list[Session] = field(default_factory=list)
    dead_passwords: list[str] = field(default_factory=list)
    used_links: list[str] = field(default_factory=list)


class Credentials(RuleBasedStateMachine):
    """One account, driven over HTTP; the clock moves only when a rule moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FixedClock()
        self.stack = AsyncExitStack()
        self.passwords = 0

    @initialize()
    def sign_up(self) -> None:
        folder = Path(tempfile.gettempdir())
        settings = settings_for("memory:", folder, THROTTLE="off")
        self.api: Api = self.run(self.stack.enter_async_context(serve(settings, Overrides(self.clock))))
        email = an_email()
        made = self.post("/users", {"email": email, "password": PASSWORD})
        assert made.status_code == 201
        self.account = Account(made.json()["id"], email)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def post(self, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer: httpx.Response = self.run(self.api.post(path, json=body, headers=headers))
        return answer

    def me(self, token: str) -> int:
        answer = self.run(self.api.get("/users/me", headers={"Authorization": f"Bearer {token}"}))
        return int(answer.status_code)

    def code(self) -> str:
        """Return the authenticator's next code, once its time has come: each is good once."""
        assert self.account.seed is not None
        self.clock.advance(timedelta(seconds=30))
        return pyotp.TOTP(self.account.seed).at(self.clock.now())

    def live(self) -> list[Session]:
        """Return the sessions that the model calls live."""
        now = self.clock.now()
        for session in self.account.sessions:
            session.live = session.live and now - session.used_at < IDLE
        return [session for session in self.account.sessions if session.live]

    def token(self) -> str | None:
        """Return an access token that the model calls good."""
        now = self.clock.now()
        for session in self.live():
            for token, made_at in session.access_tokens:
                if now - made_at < timedelta(minutes=10):
                    return token
        return None

    def end(self, *, but: Session | None = None) -> None:
        for session in self.account.sessions:
            session.live = session.live and session is but

    def of(self, token: str) -> Session:
        return next(s for s in self.account.sessions if token in {text for text, _ in s.access_tokens})

    def open(self, tokens: dict[str, Any]) -> None:
        now = self.clock.now()
        self.account.sessions.append(Session([tokens["refresh_token"]], [(tokens["access_token"], now)], now))
        live = self.live()
        for session in live[: max(0, len(live) - 20)]:
            session.live = False

    @rule()
    def log_in(self) -> None:
        answer = self.post("/auth/login", {"email": self.account.email, "password": self.account.password})
        if not self.account.active:
            assert answer.status_code == 401
            return
        assert answer.status_code == 200
        if self.account.seed is None:
            self.open(answer.json())
            return
        challenge = answer.json()["mfa_token"]
        assert self.me(challenge) == 401
        code = self.code()
        answer = self.post("/auth/login/mfa", {"mfa_token": challenge, "code": code})
        assert answer.status_code == 200
        self.open(answer.json())
        for body in ({"mfa_token": challenge, "code": code}, {"mfa_token": challenge, "code": "000000"}):
            assert self.post("/auth/login/mfa", body).status_code == 401

    @rule(wrong=st.sampled_from(["", "wrong password here", PASSWORD + " "]))
    def log_in_wrongly(self, wrong: str) -> None:
        for password in {wrong, *self.account.dead_passwords} - {self.account.password}:
            answer = self.post("/auth/login", {"email": self.account.email, "password": password})
            assert answer.status_code == 401

    @precondition(lambda self: self.account.sessions)
    @rule(pick=st.integers(min_value=0, max_value=1_000), late=st.booleans())
    def refresh(self, pick: int, *, late: bool) -> None:
        session = self.account.sessions[pick % len(self.account.sessions)]
        if late:
            self.clock.advance(GRACE)
        is_live = session in self.live()
        answer = self.post("/auth/refresh", {"refresh_token": session.refresh_tokens[-1]})
        assert answer.status_code == (200 if is_live and self.account.active else 401)
        if answer.status_code == 200:
            now = self.clock.now()
            session.refresh_tokens.append(answer.json()["refresh_token"])
            session.access_tokens.append((answer.json()["access_token"], now))
            session.used_at = now

    @precondition(lambda self: any(len(session.refresh_tokens) > 1 for session in self.account.sessions))
    @rule(pick=st.integers(min_value=0, max_value=1_000), at=st.integers(min_value=0, max_value=1_000))
    def replay(self, pick: int, at: int) -> None:
        sessions = [session for session in self.account.sessions if len(session.refresh_tokens) > 1]
        session = sessions[pick % len(sessions)]
        spent = session.refresh_tokens[:-1]
        at %= len(spent)
        now = self.clock.now()
        is_live = session in self.live() and self.account.active
        answer = self.post("/auth/refresh", {"refresh_token": spent[at]})
        if is_live and at == len(spent) - 1 and now - session.used_at < GRACE:
            assert answer.status_code == 200
            assert answer.json()["refresh_token"] == session.refresh_tokens[-1]
            session.access_tokens.append((answer.json()["access_token"], now))
        else:
            assert answer.status_code == 401
            session.live = False

    @rule()
    def log_out(self) -> None:
        token = self.token()
        if token is not None:
            assert self.post("/auth/logout", token=token).status_code == 204
            self.of(token).live = False

    @rule()
    def change_password(self) -> None:
        token = self.token()
        if token is None:
            return
        old, new = self.account.password, self.another_password()
        answer = self.post("/auth/password/change", {"current_password": old, "new_password": new}, token)
        assert answer.status_code == 204
        self.account.dead_passwords.append(old)
        self.account.password = new
        self.end(but=self.of(token))

    @rule()
    def reset_password(self) -> None:
        if not self.account.active:
            return
        assert self.post("/auth/password/forgot", {"email": self.account.email}).status_code == 202
        link = self.link()
        old, new = self.account.password, self.another_password()
        assert self.post("/auth/password/reset", {"token": link, "new_password": new}).status_code == 204
        self.account.dead_passwords.append(old)
        self.account.password = new
        self.account.used_links.append(link)
        self.end()

    @precondition(lambda self: self.account.used_links)
    @rule()
    def reset_again_with_a_used_link(self) -> None:
        for link in self.account.used_links:
            body = {"token": link, "new_password": self.another_password()}
            assert self.post("/auth/password/reset", body).status_code == 422

    @rule()
    def turn_totp_on(self) -> None:
        token = self.token()
        if token is None or self.account.seed is not None:
            return
        begun = self.post("/auth/mfa/totp", {"password": self.account.password}, token)
        assert begun.status_code == 200
        self.account.seed = begun.json()["secret"]
        assert self.post("/auth/mfa/totp/confirm", {"code": self.code_of_now()}, token).status_code == 200
        self.end(but=self.of(token))

    @rule()
    def deactivate_or_activate(self) -> None:
        active = not self.account.active
        edit = use(self.api.container, EditUser)
        self.run(edit(Actor.operator(), UserId(UUID(self.account.id)), is_active=active))
        self.account.active = active
        if not active:
            self.end()

    @rule(hours=st.sampled_from([0.002, 0.2, 24, 24 * 13, 24 * 15]))
    def wait(self, hours: float) -> None:
        self.clock.advance(timedelta(hours=hours))

    @invariant()
    def no_dead_access_token_works_and_every_live_one_does(self) -> None:
        if not hasattr(self, "account"):
            return
        now, live = self.clock.now(), self.live()
        for session in self.account.sessions:
            for token, made_at in session.access_tokens[-2:]:
                if session not in live or now - made_at >= ACCESS:
                    assert self.me(token) == 401
                elif now - made_at < timedelta(minutes=10):
                    assert self.me(token) == 200

    def code_of_now(self) -> str:
        assert self.account.seed is not None
        return pyotp.TOTP(self.account.seed).at(self.clock.now())

    def another_password(self) -> str:
        self.passwords += 1
        return f"{PASSWORD}, edition {self.passwords}"

    def link(self) -> str:
        """Return the token in the newest letter about a reset."""
        store: MemoryStore = self.run(self.api.container.get(MemoryStore))
        letters = [x for x in store.table(LETTERS, Letter).values() if x.template == LetterTemplate.RESET_PASSWORD]
        newest = max(letters, key=lambda letter: letter.id)
        assert newest.data is not None
        return newest.data["link"].partition("#token=")[2]

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()


TestCredentials = pytest.mark.long(Credentials.TestCase)
TestCredentials.settings = hypothesis_settings(max_examples=25, stateful_step_count=30, deadline=None)
