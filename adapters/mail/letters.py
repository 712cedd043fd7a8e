"""Writing letters, with Jinja."""

from collections.abc import Mapping

from application.mail import LetterUnwritable, LetterWriter, Message
from application.outbox import Letter, LetterTemplate

_SUBJECTS: Mapping[LetterTemplate, str] = {
    LetterTemplate.VERIFY_EMAIL: "Confirm your email address",
    LetterTemplate.ALREADY_REGISTERED: "You already have an account",
    LetterTemplate.RESET_PASSWORD: "Choose a new password",
    LetterTemplate.PASSWORD_CHANGED: "Your password was changed",
    LetterTemplate.CONFIRM_NEW_EMAIL: "Confirm your new email address",
    LetterTemplate.EMAIL_CHANGE_REQUESTED: "Somebody wants to change your email address",
    LetterTemplate.EMAIL_CHANGED: "Your email address was changed",
    LetterTemplate.MFA_ENABLED: "Two-factor authentication is on",
    LetterTemplate.MFA_DISABLED: "Two-factor authentication is off",
    LetterTemplate.ACCOUNT_DELETED: "Your account was deleted",
}


class JinjaLetterWriter(LetterWriter):
    """Fills `templates/<letter>.txt` and `.html`. Data are values there, never templates, and HTML escapes them."""

    def __init__(self, installation: str) -> None:
        """`installation` is what letters call the place where the recipient has an account."""
        self._installation = installation

    def write(self, letter: Letter) -> Message:
        if letter.data is None:
            raise LetterUnwritable("What it says can't be unsealed: PORTICO_SECRET_KEY was another one then.")
        subject = f"{self._installation}: {_SUBJECTS[letter.template]}"
        values = {name: _on_one_line(value) for name, value in letter.data.items()}
        values |= {"installation": self._installation, "recipient": letter.recipient, "subject": subject}
        from adapters.mail.jinja import fill  # noqa: PLC0415 - with the first letter, not with the start

        text, html = (fill(f"{letter.template}.{form}", values) for form in ("txt", "html"))
        return Message(
            id=letter.id,
            recipient=letter.recipient,
            subject=subject,
            text=text,
            html=html,
            created_at=letter.created_at,
        )


def _on_one_line(value: str) -> str:
    """Return the value without what would end its line, where the rest could pass for our words."""
    return "".join(character if character.isprintable() else " " for character in value)
