"""Accounts over HTTP."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from dishka.integrations.litestar import FromDishka
from litestar import MediaType, Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import UNSET, Meta, Struct, UnsetType

from application.auth.accounts import EditUser, EraseProfile, EraseUser
from application.auth.export import ExportAccount
from application.auth.registration import SignUp
from application.paging import PAGE_DEFAULT
from application.users.administration import ListUsers, ShowUser
from application.users.ports import UserFilter, UserSort
from application.users.profile import RenameProfile, ShowProfile
from application.users.views import UserView
from domain.access import Actor, Client, Role
from domain.auth.errors import WrongPassword
from domain.auth.password import PASSWORD_MAX
from domain.errors import Limited
from domain.ids import UserId
from domain.users.email import EMAIL_MAX
from domain.users.errors import EmailTaken, LastAdmin, SignupClosed, UserNotFound
from domain.users.user import FULL_NAME_MAX
from entrypoints.export import export_as_json
from entrypoints.http.accepted import ACCEPTED, accepted
from entrypoints.http.auth import PasswordText
from entrypoints.http.bodies import unset_if_absent
from entrypoints.http.conditional import answer, precondition_of
from entrypoints.http.controllers import InjectedController
from entrypoints.http.documentation import SHOWS_VERSION, raises
from entrypoints.http.idempotency import IDEMPOTENCY, Idempotency
from entrypoints.http.paging import Cursor, Cursors, Limit, PageBody, answer_page, context_of, parse_order, sorted_by

EmailText = Annotated[str, Meta(min_length=3, max_length=EMAIL_MAX, description="An email address.")]
NewPasswordText = Annotated[
    str, Meta(max_length=PASSWORD_MAX, description="Several words make a good one; nothing else is asked of it.")
]
FullNameText = Annotated[str, Meta(min_length=1, max_length=FULL_NAME_MAX)]


class SignUpBody(Struct, forbid_unknown_fields=True):
    """A new account."""

    email: EmailText
    password: NewPasswordText
    full_name: FullNameText | None = None


class ProfileBody(Struct, forbid_unknown_fields=True):
    """A change of one's own account; null clears the name."""

    full_name: FullNameText | None


class UserPatchBody(Struct, forbid_unknown_fields=True):
    """A change of anybody's account: what is absent stays, null clears the name."""

    full_name: FullNameText | UnsetType | None = UNSET
    email: EmailText | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class ErasureBody(Struct, forbid_unknown_fields=True):
    """One's own password, so that a token which somebody found is not enough."""

    password: PasswordText


class UserController(InjectedController):
    """`/users`."""

    path = "/users"
    tags = ("users",)

    @post(
        operation_id="signUp",
        opt=raises(EmailTaken, SignupClosed, Limited, *IDEMPOTENCY) | SHOWS_VERSION,
        responses=ACCEPTED,
    )
    async def sign_up(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[SignUpBody],
        client: FromDishka[Client],
        sign_up: FromDishka[SignUp],
        idempotency: FromDishka[Idempotency],
    ) -> Response[UserView]:
        """Make an account."""

        async def make() -> Response[UserView]:
            user = await sign_up(email=data.email, password=data.password, full_name=data.full_name, client=client)
            if user is None:
                return accepted()
            return answer(request, user, status=HTTPStatus.CREATED, location=f"/api/v1/users/{user.id}")

        return await idempotency.once(
            request, data, make, caller=client, owner_of=lambda user: None if user is None else user.id
        )

    @get(operation_id="listUsers")
    async def list_users(
        self,
        request: Request[Any, Any, Any],
        actor: FromDishka[Actor],
        list_users: FromDishka[ListUsers],
        cursors: FromDishka[Cursors],
        limit: Limit = PAGE_DEFAULT,
        cursor: Cursor = None,
        sort: Annotated[str, sorted_by(UserSort)] = "created_at",
        q: Annotated[str | None, QueryParameter(min_length=1, max_length=200)] = None,
        role: Annotated[Role | None, QueryParameter()] = None,
        is_active: Annotated[bool | None, QueryParameter()] = None,
    ) -> Response[PageBody[UserView]]:
        """List accounts; for administrators."""
        which, order = UserFilter(q=q, role=role, is_active=is_active), parse_order(sort, UserSort)
        context = context_of(request, which, order)
        after = None if cursor is None else cursors.read(cursor, context=context)
        page = await list_users(actor, which, order=order, limit=limit, after=after)
        return answer_page(request, page, cursors, context=context)

    @get("/me", operation_id="showProfile", opt=SHOWS_VERSION)
    async def show_profile(
        self, request: Request[Any, Any, Any], actor: FromDishka[Actor], show_profile: FromDishka[ShowProfile]
    ) -> Response[UserView]:
        """Show one's own account."""
        return answer(request, await show_profile(actor))

    @patch("/me", operation_id="renameProfile", opt=SHOWS_VERSION)
    async def rename_profile(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[ProfileBody],
        actor: FromDishka[Actor],
        rename_profile: FromDishka[RenameProfile],
    ) -> Response[UserView]:
        """Change one's own name."""
        user = await rename_profile(actor, full_name=data.full_name, precondition=precondition_of(request))
        return answer(request, user)

    @delete("/me", operation_id="eraseProfile", opt=raises(WrongPassword, Limited, LastAdmin))
    async def erase_profile(
        self, data: JSONBody[ErasureBody], actor: FromDishka[Actor], erase_profile: FromDishka[EraseProfile]
    ) -> None:
        """Erase one's own account, with its items, sessions and keys, for good."""
        await erase_profile(actor, password=data.password)

    @get("/me/export", operation_id="exportProfile", media_type=MediaType.JSON)
    async def export_profile(self, actor: FromDishka[Actor], export_account: FromDishka[ExportAccount]) -> Stream:
        """Give out all that is stored about oneself, as one JSON object."""
        export = await export_account(actor, actor.user_id)
        return Stream(
            export_as_json(export),
            media_type=MediaType.JSON,
            headers={"Content-Disposition": 'attachment; filename="portico-account.json"'},
        )

    @get("/{user_id:uuid}", operation_id="showUser", opt=raises(UserNotFound) | SHOWS_VERSION)
    async def show_user(
        self,
        request: Request[Any, Any, Any],
        user_id: FromPath[UUID],
        actor: FromDishka[Actor],
        show_user: FromDishka[ShowUser],
    ) -> Response[UserView]:
        """Show an account: one's own, or for administrators anybody's."""
        return answer(request, await show_user(actor, UserId(user_id)))

    @patch("/{user_id:uuid}", operation_id="editUser", opt=raises(UserNotFound, EmailTaken, LastAdmin) | SHOWS_VERSION)
    async def edit_user(
        self,
        request: Request[Any, Any, Any],
        user_id: FromPath[UUID],
        data: JSONBody[UserPatchBody],
        actor: FromDishka[Actor],
        edit_user: FromDishka[EditUser],
    ) -> Response[UserView]:
        """Change an account; for administrators. A new address counts at once, as not verified."""
        user = await edit_user(
            actor,
            UserId(user_id),
            full_name=unset_if_absent(data.full_name),
            email=unset_if_absent(data.email),
            role=unset_if_absent(data.role),
            is_active=unset_if_absent(data.is_active),
            precondition=precondition_of(request),
        )
        return answer(request, user)

    @delete("/{user_id:uuid}", operation_id="eraseUser", opt=raises(UserNotFound, LastAdmin) | SHOWS_VERSION)
    async def erase_user(
        self,
        request: Request[Any, Any, Any],
        user_id: FromPath[UUID],
        actor: FromDishka[Actor],
        erase_user: FromDishka[EraseUser],
    ) -> None:
        """Erase an account with its items, sessions and keys, for good; for administrators."""
        await erase_user(actor, UserId(user_id), precondition=precondition_of(request))
