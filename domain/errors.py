"""The kinds of anticipated failure. Entrypoints know only these kinds; each feature's errors subclass one.

=================  ===========================================  ============
kind               what is so                                   HTTP status
=================  ===========================================  ============
`Invalid`          a value breaks a rule                        422
`Unauthenticated`  nobody, or nobody known, is asking           401
`Forbidden`        the actor may not                            403
`NotFound`         there is no such thing for this actor        404
`Conflict`         it contradicts what is already there         409
`Stale`            it has changed since the caller read it      412
`Limited`          too often; later                             429
`Unavailable`      something Portico needs does not answer      503
=================  ===========================================  ============

An error's docstring is its title, `code` its stable name, and its message what a person should know or do.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Self


class DomainError(Exception):
    """Refused."""

    code: ClassVar[str]
    detail: ClassVar[str] = ""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail if detail is not None else type(self).detail)

    @classmethod
    def title(cls) -> str:
        """The first line of the docstring, without its full stop."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].removesuffix(".")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One rule that one field breaks; `field` is a path such as `title` or `items/3/title`."""

    field: str
    detail: str

    def within(self, path: str) -> Self:
        """Return the same error as seen from what has the field at this path."""
        return replace(self, field=f"{path}/{self.field}" if self.field else path)


class Invalid(DomainError):
    """Some values are not valid."""

    code = "validation_failed"

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field or 'body'}: {error.detail}" for error in errors))
        self.errors = errors


class Unauthenticated(DomainError):
    """Authentication is required."""

    code = "unauthenticated"
    detail = "Send a valid access token or API key as a bearer token."


class Forbidden(DomainError):
    """Not allowed."""

    code = "forbidden"


class NotFound(DomainError):
    """Not found."""

    code = "not_found"


class Conflict(DomainError):
    """In conflict with what is already there."""

    code = "conflict"


class Stale(DomainError):
    """Changed by somebody else meanwhile."""

    code = "precondition_failed"
    detail = "It has changed since you read it. Read it again, then repeat your change."


class Limited(DomainError):
    """Too many requests."""

    code = "too_many_requests"
    detail = "Too many attempts. Wait, then try again."

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        """Seconds to wait, at least 1."""


class Unavailable(DomainError):
    """Temporarily unavailable."""

    code = "unavailable"
    detail = "Something Portico depends on does not answer. Try again in a moment."

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        """Seconds to wait, at least 1."""
