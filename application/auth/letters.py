"""Letters with a link that does one thing once."""

from dataclasses import dataclass
from datetime import datetime

from application.auth.links import AccountLinks
from application.auth.ports import OneTimeTokenRepository, RandomBytes
from application.outbox import LetterTemplate
from application.ports import NewId, Outbox
from domain.auth.one_time_token import SECRET_BYTES, OneTimeToken, TokenPurpose, show_secret
from domain.ids import UserId
from domain.users.email import Email

_TEMPLATES = {
    TokenPurpose.VERIFY_EMAIL: LetterTemplate.VERIFY_EMAIL,
    TokenPurpose.CHANGE_EMAIL: LetterTemplate.CONFIRM_NEW_EMAIL,
    TokenPurpose.RESET_PASSWORD: LetterTemplate.RESET_PASSWORD,
}


@dataclass(frozen=True, slots=True)
class LinkLetters:
    """Puts letters with links into the outbox, as part of the caller's unit."""

    tokens: OneTimeTokenRepository
    outbox: Outbox
    links: AccountLinks
    random_bytes: RandomBytes
    new_id: NewId

    async def send(self, purpose: TokenPurpose, *, user_id: UserId, email: Email, now: datetime) -> None:
        """Send a link to this address, which makes the account's earlier ones of this purpose useless.

        For an account that is not there nothing is sent, after the same work but for one statement.
        """
        secret = await self._issue(purpose, user_id=user_id, email=email, now=now)
        if secret is not None:
            link = self._link(purpose, secret)
            await self.outbox.put(_TEMPLATES[purpose], recipient=email, user_id=user_id, data={"link": link})

    async def send_already_registered(
        self, purpose: TokenPurpose, *, user_id: UserId, email: Email, owner_id: UserId, now: datetime
    ) -> None:
        """Tell the owner of an address that somebody wants it, where a link would have been sent had it been free.

        The link is made all the same and then thrown away, so that what can be seen of both cases is one.
        """
        await self._issue(purpose, user_id=user_id, email=email, now=now)
        data = {"link": self.links.forgot()}
        await self.outbox.put(LetterTemplate.ALREADY_REGISTERED, recipient=email, user_id=owner_id, data=data)

    async def _issue(self, purpose: TokenPurpose, *, user_id: UserId, email: Email, now: datetime) -> str | None:
        secret = show_secret(self.random_bytes(SECRET_BYTES))
        token = OneTimeToken.issue(self.new_id(), secret=secret, purpose=purpose, user_id=user_id, email=email, now=now)
        return secret if await self.tokens.issue(token) else None

    def _link(self, purpose: TokenPurpose, secret: str) -> str:
        match purpose:
            case TokenPurpose.VERIFY_EMAIL:
                return self.links.verify(secret)
            case TokenPurpose.CHANGE_EMAIL:
                return self.links.change(secret)
            case TokenPurpose.RESET_PASSWORD:
                return self.links.reset(secret)
