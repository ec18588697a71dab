"""The issuer's endpoints, with Entra's paths."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from secure_openai.edge.middleware.hosts import HostsMiddleware
from secure_openai.edge.middleware.limits import LimitsMiddleware
from secure_openai.local.identity_provider.authorize import AuthorizeError, check_authorize
from secure_openai.local.identity_provider.client_assertion import FederatedCredential
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    DAEMON,
    PEOPLE,
    SCOPE,
    TENANT_ID,
    WEB_CLIENT_ID,
    person,
)
from secure_openai.local.identity_provider.grants import (
    DEVICE_INTERVAL,
    DEVICE_SECONDS,
    AuthorizationRequest,
    Grant,
    GrantError,
    Grants,
)
from secure_openai.local.identity_provider.headers import IssuerHeadersMiddleware
from secure_openai.local.identity_provider.issuance import TOKEN_SECONDS, Issuance
from secure_openai.local.identity_provider.signing_keys import SigningKeys

SESSION_COOKIE = "issuer_session"
BODY_BYTES = 32_768

_FOLDER = files("secure_openai.local.identity_provider")
_TEMPLATES = Environment(
    loader=FileSystemLoader(str(_FOLDER / "templates")),
    autoescape=True,
    undefined=StrictUndefined,
)


@dataclass(frozen=True)
class IdentityProvider:
    """The issuer's parts.

    Attributes:
        public_url: Its origin.
        application_url: The application's origin: where codes and signed-out people go.
        daemon_secret: What the demo application proves itself with.
        federated: Whose assertions prove the web application; on a laptop it is a public client.
    """

    public_url: str
    application_url: str
    keys: SigningKeys
    grants: Grants
    daemon_secret: str
    federated: FederatedCredential | None = None

    @property
    def base(self) -> str:
        """Return the tenant's address."""
        return f"{self.public_url}/{TENANT_ID}"

    @property
    def issuer(self) -> str:
        """Return `iss`."""
        return f"{self.base}/v2.0"

    @property
    def issuance(self) -> Issuance:
        """Return what makes tokens."""
        return Issuance(self.issuer, self.keys)

    def app(self) -> Starlette:
        """Return the ASGI application."""
        oauth = f"/{TENANT_ID}/oauth2/v2.0"
        return Starlette(
            routes=[
                Route(f"/{TENANT_ID}/v2.0/.well-known/openid-configuration", self.metadata),
                Route(f"/{TENANT_ID}/discovery/v2.0/keys", self.jwks),
                Route(f"{oauth}/authorize", self.authorize),
                Route(f"{oauth}/choose", self.choose, methods=["POST"]),
                Route(f"{oauth}/token", self.token, methods=["POST"]),
                Route(f"{oauth}/devicecode", self.device_code, methods=["POST"]),
                Route(f"{oauth}/deviceauth", self.device_page, methods=["GET", "POST"]),
                Route(f"{oauth}/logout", self.logout),
                Route("/healthz", self.alive),
                Mount("/static", StaticFiles(directory=str(_FOLDER / "static"))),
            ],
            middleware=[
                Middleware(IssuerHeadersMiddleware, application_url=self.application_url),
                Middleware(HostsMiddleware, hosts=frozenset({urlsplit(self.public_url).netloc})),
                Middleware(LimitsMiddleware, body_bytes=BODY_BYTES),
            ],
        )

    async def alive(self, request: Request) -> Response:  # noqa: ARG002 - every endpoint takes it
        """Answer as long as the process does."""
        return JSONResponse({"status": "ok"})

    async def metadata(self, request: Request) -> Response:  # noqa: ARG002 - the same
        """Describe the issuer (OpenID Connect Discovery 1.0, 4)."""
        oauth = f"{self.base}/oauth2/v2.0"
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{oauth}/authorize",
                "token_endpoint": f"{oauth}/token",
                "device_authorization_endpoint": f"{oauth}/devicecode",
                "end_session_endpoint": f"{oauth}/logout",
                "jwks_uri": f"{self.base}/discovery/v2.0/keys",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "offline_access"],
            }
        )

    async def jwks(self, request: Request) -> Response:  # noqa: ARG002 - the same
        """Publish the keys."""
        return JSONResponse(self.keys.published())

    async def authorize(self, request: Request) -> Response:
        """Ask the person who they are, or go back at once with a code or an error."""
        query = dict(request.query_params)
        try:
            asked = check_authorize(query, application_url=self.application_url)
        except AuthorizeError as error:
            if error.redirect_uri is None:
                return self._page("error.html", 400, detail=error.description)
            return _redirect(
                error.redirect_uri,
                error=error.code,
                error_description=error.description,
                state=query.get("state", ""),
            )
        cookie = request.cookies.get(SESSION_COOKIE)
        oid = self.grants.session(cookie)
        prompt = query.get("prompt", "").split()
        if oid is not None and cookie is not None and not {"login", "select_account"} & set(prompt):
            return self._granted(asked, oid, cookie)
        if "none" in prompt:
            return _redirect(
                asked.redirect_uri,
                error="login_required",
                error_description="Nobody is signed in.",
                state=asked.state,
            )
        return self._page(
            "choose.html",
            200,
            people=PEOPLE,
            handle=self.grants.remember(asked),
            action=f"/{TENANT_ID}/oauth2/v2.0/choose",
            device=None,
        )

    async def choose(self, request: Request) -> Response:
        """Take the person's choice."""
        form = await request.form()
        chosen = person(str(form.get("oid", "")))
        if chosen is None or request.headers.get("origin") != self.public_url:
            return self._page("error.html", 400, detail="This choice was not made here.")
        asked = self.grants.take(str(form.get("handle", "")))
        if asked is None:
            return self._page(
                "error.html", 400, detail="This page is too old. Go back to the application."
            )
        self.grants.end_session(request.cookies.get(SESSION_COOKIE))
        session = self.grants.begin_session(chosen.oid)
        response = self._granted(asked, chosen.oid, session)
        response.set_cookie(SESSION_COOKIE, session, httponly=True, samesite="lax", path="/")
        return response

    def _granted(self, asked: AuthorizationRequest, oid: str, session: str) -> Response:
        code = self.grants.code(asked, oid, session)
        return _redirect(asked.redirect_uri, code=code, state=asked.state)

    async def token(self, request: Request) -> Response:
        """Exchange a grant for tokens."""
        form = {name: str(value) for name, value in (await request.form()).items()}
        try:
            return JSONResponse(self._tokens(form), headers={"Cache-Control": "no-store"})
        except GrantError as error:
            return JSONResponse(
                {"error": error.code, "error_description": error.description},
                status_code=400,
                headers={"Cache-Control": "no-store"},
            )

    def _tokens(self, form: dict[str, str]) -> dict[str, Any]:
        kind, client_id = form.get("grant_type", ""), form.get("client_id", "")
        if kind == "client_credentials":
            return self._application_tokens(client_id, form)
        if client_id not in {WEB_CLIENT_ID, COMMAND_LINE_CLIENT_ID}:
            raise GrantError("invalid_client", "The client is not registered here.")
        if client_id == WEB_CLIENT_ID and self.federated is not None:
            self.federated.check(form)
        if kind == "authorization_code":
            return self._people_tokens(
                self.grants.redeem(
                    form.get("code", ""),
                    client_id=client_id,
                    redirect_uri=form.get("redirect_uri", ""),
                    code_verifier=form.get("code_verifier", ""),
                )
            )
        if kind == "refresh_token":
            grant = self.grants.rotate(form.get("refresh_token", ""), client_id=client_id)
            return self._people_tokens(grant, refreshed=True)
        if kind == "urn:ietf:params:oauth:grant-type:device_code":
            return self._people_tokens(
                self.grants.poll_device(form.get("device_code", ""), client_id=client_id)
            )
        raise GrantError("unsupported_grant_type", "This grant type is not known.")

    def _people_tokens(self, grant: Grant, *, refreshed: bool = False) -> dict[str, Any]:
        someone = person(grant.oid)
        if someone is None:
            raise GrantError("invalid_grant", "The person is not known any more.")
        scopes = grant.scope.split()
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": grant.scope,
            "expires_in": TOKEN_SECONDS,
            "access_token": self.issuance.access_token(
                someone, grant.client_id, for_api=any(_ours(scope) for scope in scopes)
            ),
        }
        if "openid" in scopes:
            nonce = None if refreshed else grant.nonce
            answer["id_token"] = self.issuance.id_token(someone, grant.client_id, nonce)
        if "offline_access" in scopes:
            answer["refresh_token"] = self.grants.refresh_token(grant)
        return answer

    def _application_tokens(self, client_id: str, form: dict[str, str]) -> dict[str, Any]:
        secret = form.get("client_secret", "")
        if client_id != DAEMON.client_id or not hmac.compare_digest(
            secret.encode(), self.daemon_secret.encode()
        ):
            raise GrantError("invalid_client", "The application does not prove itself.")
        return {
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "access_token": self.issuance.application_token(),
        }

    async def device_code(self, request: Request) -> Response:
        """Begin a sign-in on a device without a browser (RFC 8628, 3.1)."""
        form = await request.form()
        if form.get("client_id") != COMMAND_LINE_CLIENT_ID:
            return JSONResponse({"error": "invalid_client"}, status_code=400)
        code, device = self.grants.begin_device(
            COMMAND_LINE_CLIENT_ID, str(form.get("scope", "openid"))
        )
        shown = f"{device.user_code[:4]}-{device.user_code[4:]}"
        page = f"{self.base}/oauth2/v2.0/deviceauth"
        return JSONResponse(
            {
                "device_code": code,
                "user_code": shown,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={shown}",
                "expires_in": DEVICE_SECONDS,
                "interval": DEVICE_INTERVAL,
                "message": f"Open {page} and enter the code {shown}.",
            }
        )

    async def device_page(self, request: Request) -> Response:
        """Let a person allow a device."""
        action = f"/{TENANT_ID}/oauth2/v2.0/deviceauth"
        if request.method == "GET":
            shown = request.query_params.get("user_code", "")
            return self._page(
                "choose.html", 200, people=PEOPLE, handle="", action=action, device=shown
            )
        form = await request.form()
        chosen = person(str(form.get("oid", "")))
        if chosen is None or request.headers.get("origin") != self.public_url:
            return self._page("error.html", 400, detail="This choice was not made here.")
        device = self.grants.device_of(str(form.get("user_code", "")))
        if device is None:
            return self._page("error.html", 400, detail="There is no such code, or it has expired.")
        device.oid = chosen.oid
        return self._page("done.html", 200, text="You may go back to the command line.")

    async def logout(self, request: Request) -> Response:
        """End the issuer's session; go back only where the client registered."""
        self.grants.end_session(request.cookies.get(SESSION_COOKIE))
        address = request.query_params.get("post_logout_redirect_uri")
        if address == f"{self.application_url}/signed-out":
            response: Response = RedirectResponse(address, status_code=303)
        else:
            response = self._page("done.html", 200, text="You are signed out.")
        response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
        return response

    def _page(self, name: str, status_code: int, **values: object) -> Response:
        html = _TEMPLATES.get_template(name).render(**values)
        return HTMLResponse(html, status_code=status_code)


def _ours(scope: str) -> bool:
    """Return whether a scope is our API's, in either of the ways Entra lets one write it."""
    return scope in {f"api://{WEB_CLIENT_ID}/{SCOPE}", f"{WEB_CLIENT_ID}/{SCOPE}"}


def _redirect(address: str, **parameters: str) -> Response:
    return RedirectResponse(f"{address}?{urlencode(parameters)}", status_code=303)
