"""The links in letters. They come from the settings alone, never from a request (ASVS 5.0 1.2.2)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountLinks:
    """Addresses of the account pages. A token stands in the fragment, which no server and no log gets to see."""

    base: str
    """Where the pages are, without a slash at the end."""

    def verify(self, secret: str) -> str:
        """Return where an address is confirmed."""
        return f"{self.base}/verify#token={secret}"

    def change(self, secret: str) -> str:
        """Return where a new address is confirmed."""
        return f"{self.base}/email#token={secret}"

    def reset(self, secret: str) -> str:
        """Return where a new password is chosen."""
        return f"{self.base}/reset#token={secret}"

    def forgot(self) -> str:
        """Return where a link for choosing a new password can be asked for."""
        return f"{self.base}/reset"
