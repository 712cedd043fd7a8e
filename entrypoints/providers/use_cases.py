"""The use cases, one provider per feature. A request has one unit of work, and its own use cases."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from dishka import AsyncContainer, Provider, provide, provide_all

from application.audit import ListAuditEvents, VerifyAuditTrail
from application.auth.accounts import EditUser, EraseProfile, Eraser, EraseUser, ReplacePassword
from application.auth.addresses import ConfirmEmail, RequestEmailChange, SendVerification
from application.auth.api_keys import CreateApiKey, ListAllApiKeys, ListApiKeys, RevokeAnyApiKey, RevokeApiKey
from application.auth.confirmation import ConfirmPassword
from application.auth.export import ExportAccount
from application.auth.identify import Identify
from application.auth.issue import TokenIssuer
from application.auth.letters import LinkLetters
from application.auth.login_guard import LoginGuard
from application.auth.opening import SessionOpener
from application.auth.passwords import ChangePassword, ForgetPassword, ResetPassword
from application.auth.registration import CreateUser, Registrar, SignUp
from application.auth.sessions import ListSessions, RefreshSession, RevokeSession, RevokeSessions, SignOut, SpentTokens
from application.auth.sign_in import SignIn
from application.auth.sign_in_with_code import SignInWithCode
from application.auth.signing_keys import ListSigningKeys, RetireSigningKey, RotateSigningKeys
from application.auth.two_factor import BeginTotp, CodeCheck, ConfirmTotp, DisableTotp, FactorChange, SecondFactor
from application.health import CheckReadiness
from application.items.bulk import AddItems, ExportItems, ImportItems
from application.items.use_cases import AddItem, DeleteItem, EditItem, ListItems, ListItemsOfAnybody, ShowItem
from application.mail import DeliverLetters, ListLetters, RetryLetter, ShowLetter
from application.retention import PurgeLeftovers
from application.users.administration import FindUser, ListUsers, ShowUser
from application.users.profile import RenameProfile, ShowProfile
from entrypoints.lifetimes import Lifetime


class AuthUseCases(Provider):
    """Signing up, in and out."""

    everywhere = provide_all(Identify, TokenIssuer, CheckReadiness, RefreshSession, ListSessions, scope=Lifetime.APP)
    per_request = provide_all(Registrar, SignUp, CreateUser, SignIn, SignOut, scope=Lifetime.REQUEST)
    passwords = provide_all(ChangePassword, ForgetPassword, ResetPassword, scope=Lifetime.REQUEST)
    addresses = provide_all(LinkLetters, SendVerification, RequestEmailChange, ConfirmEmail, scope=Lifetime.REQUEST)
    two_factor = provide_all(
        SecondFactor,
        CodeCheck,
        ConfirmPassword,
        FactorChange,
        BeginTotp,
        ConfirmTotp,
        DisableTotp,
        SignInWithCode,
        scope=Lifetime.REQUEST,
    )
    api_key_lists = provide_all(ListApiKeys, ListAllApiKeys, scope=Lifetime.APP)
    api_keys = provide_all(CreateApiKey, RevokeApiKey, RevokeAnyApiKey, scope=Lifetime.REQUEST)
    login_guard = provide(LoginGuard, scope=Lifetime.REQUEST)
    sessions = provide_all(SessionOpener, SpentTokens, RevokeSession, RevokeSessions, scope=Lifetime.REQUEST)
    accounts = provide_all(
        EditUser, Eraser, EraseUser, EraseProfile, ReplacePassword, ExportAccount, scope=Lifetime.REQUEST
    )

    @provide(scope=Lifetime.APP)
    def spent_tokens(self, process: AsyncContainer) -> Callable[[], AbstractAsyncContextManager[SpentTokens]]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[SpentTokens]:
            async with process() as scope:
                yield await scope.get(SpentTokens)

        return opened


class UserUseCases(Provider):
    """Accounts."""

    everywhere = provide_all(ShowProfile, ShowUser, FindUser, ListUsers, scope=Lifetime.APP)
    per_request = provide_all(RenameProfile, scope=Lifetime.REQUEST)


class ItemUseCases(Provider):
    """Items."""

    everywhere = provide_all(ShowItem, ListItems, ListItemsOfAnybody, ExportItems, scope=Lifetime.APP)
    per_request = provide_all(AddItem, AddItems, ImportItems, EditItem, DeleteItem, scope=Lifetime.REQUEST)


class MailUseCases(Provider):
    """Letters, and what nobody needs any more. The relay's steps are units of their own, so they need no request."""

    everywhere = provide_all(DeliverLetters, PurgeLeftovers, ListLetters, ShowLetter, RetryLetter, scope=Lifetime.APP)


class AuditUseCases(Provider):
    """The audit trail."""

    everywhere = provide_all(ListAuditEvents, VerifyAuditTrail, scope=Lifetime.APP)


class SigningKeyUseCases(Provider):
    """Signing keys."""

    everywhere = provide_all(ListSigningKeys, scope=Lifetime.APP)
    per_request = provide_all(RotateSigningKeys, RetireSigningKey, scope=Lifetime.REQUEST)
