"""Who may ask: whoever brings the token, where there is one."""

import secrets

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_TO_ALL = ("/health", "/")
"""What may be asked without the token: that the server lives, and the page, which asks for it."""


class TokenRequired:
    """Lets through who brings the token; the others are told that one is needed."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _may(Request(scope), self._token):
            answer = JSONResponse({"detail": "a token is needed: Authorization: Bearer TOKEN"}, 401)
            answer.headers["WWW-Authenticate"] = "Bearer"
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _may(request: Request, token: str) -> bool:
    if request.url.path in OPEN_TO_ALL:
        return True
    scheme, _, brought = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(brought.encode(), token.encode())
