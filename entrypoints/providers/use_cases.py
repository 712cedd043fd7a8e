"""The use cases, one provider per feature. A request has one unit of work, and its own use cases."""

from dishka import Provider, Scope, provide_all

from application.auth.accounts import EditUser, EraseProfile, Eraser, EraseUser, ReplacePassword
from application.auth.confirmation import ConfirmPassword
from application.auth.export import ExportAccount
from application.auth.identify import Identify
from application.auth.issue import TokenIssuer
from application.auth.opening import SessionOpener
from application.auth.registration import CreateUser, Registrar, SignUp
from application.auth.sessions import ListSessions, RefreshSession, RevokeSession, RevokeSessions, SignOut
from application.auth.sign_in import SignIn
from application.health import CheckReadiness
from application.items.use_cases import AddItem, DeleteItem, EditItem, ListItems, ShowItem
from application.users.administration import FindUser, ListUsers, ShowUser
from application.users.profile import RenameProfile, ShowProfile


class AuthUseCases(Provider):
    """Signing up, in and out."""

    everywhere = provide_all(Identify, TokenIssuer, CheckReadiness, ListSessions, scope=Scope.APP)
    per_request = provide_all(Registrar, SignUp, CreateUser, SignIn, RefreshSession, SignOut, scope=Scope.REQUEST)
    sessions = provide_all(SessionOpener, RevokeSession, RevokeSessions, scope=Scope.REQUEST)
    passwords = provide_all(ConfirmPassword, scope=Scope.REQUEST)
    accounts = provide_all(
        EditUser, Eraser, EraseUser, EraseProfile, ReplacePassword, ExportAccount, scope=Scope.REQUEST
    )


class UserUseCases(Provider):
    """Accounts."""

    everywhere = provide_all(ShowProfile, ShowUser, FindUser, ListUsers, scope=Scope.APP)
    per_request = provide_all(RenameProfile, scope=Scope.REQUEST)


class ItemUseCases(Provider):
    """Items."""

    everywhere = provide_all(ShowItem, ListItems, scope=Scope.APP)
    per_request = provide_all(AddItem, EditItem, DeleteItem, scope=Scope.REQUEST)
