"""Messages as they travel (RFC 5322)."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from application.mail import MailRefused, Message
from domain.errors import Invalid
from domain.users.email import parse_email


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Puts letters into envelopes, from this sender and of this domain."""

    sender: Address
    domain: str

    def enclose(self, message: Message) -> EmailMessage:
        """Return the message with its headers, the same each time. Raises MailRefused for what is no address.

        Only the email package writes headers here, and it refuses line ends in them (ASVS 5.0 1.3.11).
        """
        try:
            is_address = parse_email(message.recipient) == message.recipient
        except Invalid:
            is_address = False
        if not is_address:
            raise MailRefused("The recipient is not an address.")
        enclosed = EmailMessage(policy=SMTP)
        enclosed["From"] = self.sender
        enclosed["To"] = Address(addr_spec=message.recipient)
        enclosed["Subject"] = message.subject
        enclosed["Date"] = message.created_at
        # A receiver that has it already can tell by this that it is the same letter (RFC 5322 section 3.6.4).
        enclosed["Message-ID"] = f"<{message.id}@{self.domain}>"
        enclosed["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office notes, please
        enclosed.set_content(message.text, cte="quoted-printable")
        enclosed.add_alternative(message.html, subtype="html", cte="quoted-printable")
        enclosed["Content-Language"] = "en"
        return enclosed
