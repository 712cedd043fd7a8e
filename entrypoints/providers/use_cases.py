"""The use cases, one provider per feature. A request has one unit of work, and its own use cases."""

from dishka import Provider, Scope, provide_all

from application.auth.addresses import ConfirmEmail, RequestEmailChange, SendVerification
from application.auth.confirmation import ConfirmPassword
from application.auth.identify import Identify
from application.auth.issue import TokenIssuer
from application.auth.letters import LinkLetters
from application.auth.passwords import ChangePassword, ForgetPassword, ResetPassword, SendPasswordReset
from application.auth.registration import CreateUser, Registrar, SignUp
from application.auth.sessions import RefreshSession, SignOut
from application.auth.sign_in import SignIn
from application.health import CheckReadiness
from application.items.use_cases import AddItem, DeleteItem, EditItem, ListItems, ShowItem
from application.users.administration import FindUser, ListUsers, ShowUser
from application.users.profile import RenameProfile, ShowProfile


class AuthUseCases(Provider):
    """Signing up, in and out."""

    everywhere = provide_all(Identify, TokenIssuer, CheckReadiness, scope=Scope.APP)
    per_request = provide_all(Registrar, SignUp, CreateUser, SignIn, RefreshSession, SignOut, scope=Scope.REQUEST)
    passwords = provide_all(
        ConfirmPassword, ChangePassword, ForgetPassword, SendPasswordReset, ResetPassword, scope=Scope.REQUEST
    )
    addresses = provide_all(LinkLetters, SendVerification, RequestEmailChange, ConfirmEmail, scope=Scope.REQUEST)


class UserUseCases(Provider):
    """Accounts."""

    everywhere = provide_all(ShowProfile, ShowUser, FindUser, ListUsers, scope=Scope.APP)
    per_request = provide_all(RenameProfile, scope=Scope.REQUEST)


class ItemUseCases(Provider):
    """Items."""

    everywhere = provide_all(ShowItem, ListItems, scope=Scope.APP)
    per_request = provide_all(AddItem, EditItem, DeleteItem, scope=Scope.REQUEST)
