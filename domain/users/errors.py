"""What can be wrong with an account."""

from domain.errors import Conflict, Forbidden, NotFound


class EmailTaken(Conflict):
    """This email address is taken."""

    code = "email_taken"
    detail = "An account with this email address exists. Sign in, or reset its password."


class SignupClosed(Forbidden):
    """Sign-up is closed."""

    code = "signup_closed"
    detail = "New accounts are made by an administrator here."


class LastAdmin(Conflict):
    """This is the last active administrator."""

    code = "last_admin"
    detail = "Make somebody else an administrator first: nobody could administer otherwise."


class UserNotFound(NotFound):
    """There is no such user."""

    detail = "There is no user with this id."
