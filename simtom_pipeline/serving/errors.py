"""What is said, and with which status, where something cannot be had."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from ..landing import InUseError, LandingError
from ..scenarios.problems import ScenarioError
from ..streaming.positions import AnotherStreamError
from ..streaming.selection import SelectionError
from ..streaming.sources import AnotherWorldLandedError, NotLandedError
from .bounds import MAX_BODY_BYTES, RETRY_AFTER_SECONDS, BusyError, TooMuchError
from .formats import ARROW, JSON_LINES, SSE, NotAcceptableError
from .live import LiveRequest
from .paced import NobodyWaitsError
from .problems import AnotherStream, Problem, Problems, Refusal, of_pydantic, of_scenario
from .scenario_streams import ScenarioRequest
from .streams import UnknownError

STREAM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The records.",
        "content": {name: {"schema": {"type": "string"}} for name in (SSE, JSON_LINES, ARROW)},
    },
    204: {"description": "Nothing is left after that record."},
    404: {"model": Refusal, "description": "There is nothing of that name, or the day has not landed."},
    406: {"model": Refusal, "description": "No such form."},
    409: {"model": AnotherStream, "description": "The position, or what has landed, is of another stream."},
    413: {"model": Refusal, "description": "The body is too large."},
    422: {"model": Problems, "description": "What is wrong, by key."},
    429: {"model": Refusal, "description": "As many streams are open as may be; see Retry-After."},
    500: {"model": Refusal, "description": "The file of what has landed cannot be read."},
    503: {"model": Refusal, "description": "The file is in use; see Retry-After."},
}
PLAIN_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: STREAM_RESPONSES[code] for code in (404, 409, 422, 500, 503)
}


class BodyTooLargeError(ValueError):
    """A body is larger than `MAX_BODY_BYTES`."""


def _parameters(request: Request) -> list[str]:
    """Names of the parameters that an address takes."""
    path = request.url.path
    if path.startswith("/scenarios/") and path.endswith("/stream"):
        return _names(ScenarioRequest)
    return [*_names(LiveRequest), "total_records"] if path.startswith("/stream/") else []


def _names(model: type[BaseModel]) -> list[str]:
    return list(model.model_json_schema()["properties"])


def answer_errors(app: FastAPI) -> None:
    """Give every error that a request can cause its status and its words."""

    def problems(found: Problems) -> JSONResponse:
        return JSONResponse(found.model_dump(), 422)

    def refused(code: int, error: Exception, **headers: str) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, code, headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        return problems(of_pydantic(error.errors(), _parameters(request)))

    @app.exception_handler(ScenarioError)
    async def _scenario(request: Request, error: ScenarioError) -> Response:
        return problems(of_scenario(error))

    @app.exception_handler(SelectionError)
    @app.exception_handler(TooMuchError)
    async def _selection(request: Request, error: SelectionError | TooMuchError) -> Response:
        return problems(Problems(detail=[Problem(key=error.key, found=error.found, allowed=error.allowed)]))

    @app.exception_handler(UnknownError)
    @app.exception_handler(NotLandedError)
    async def _unknown(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 404)

    @app.exception_handler(AnotherStreamError)
    async def _another_stream(request: Request, error: AnotherStreamError) -> Response:
        return JSONResponse({"detail": str(error), "asked": error.asked, "here": error.here}, 409)

    @app.exception_handler(AnotherWorldLandedError)
    async def _another_world(request: Request, error: AnotherWorldLandedError) -> Response:
        landed = error.landed or "unknown"
        return JSONResponse({"detail": str(error), "asked": error.here, "here": landed}, 409)

    @app.exception_handler(InUseError)
    @app.exception_handler(NobodyWaitsError)
    async def _not_now(request: Request, error: InUseError | NobodyWaitsError) -> Response:
        return refused(503, error, **{"Retry-After": str(RETRY_AFTER_SECONDS)})

    @app.exception_handler(LandingError)
    async def _landing(request: Request, error: LandingError) -> Response:
        return refused(500, error)

    @app.exception_handler(BusyError)
    async def _busy(request: Request, error: BusyError) -> Response:
        return refused(429, error, **{"Retry-After": str(RETRY_AFTER_SECONDS)})

    @app.exception_handler(NotAcceptableError)
    async def _not_acceptable(request: Request, error: NotAcceptableError) -> Response:
        return refused(406, error)

    @app.exception_handler(BodyTooLargeError)
    async def _too_large(request: Request, error: BodyTooLargeError) -> Response:
        return JSONResponse(
            {"detail": f"the body: found more than {MAX_BODY_BYTES:,} bytes; allowed: no more"},
            413,
        )
