"""The addresses of the service: what can be asked for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib.metadata import version
from io import BytesIO
from pathlib import Path as FilePath
from typing import Annotated, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from anyio import to_thread
from fastapi import FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from pydantic import ValidationError

from ..generators.drift.schedule import ScheduleCurve
from ..home import default_database
from ..landing import DuckDBFile, Storage
from ..scenarios.models import Scenario
from ..simulation import Simulation, load_all, registry
from ..streaming.encoding import plain_columns
from ..streaming.selection import SelectionError, streamed_tables
from . import streams
from .access import TokenRequired
from .bounds import MAX_BODY_BYTES, MAX_STREAMS, Slots
from .documents import BrokenScenario, DayInfo, GeneratorInfo, ScenarioDetail, ScenarioInfo, Status
from .errors import PLAIN_RESPONSES, STREAM_RESPONSES, BodyTooLargeError, answer_errors
from .formats import ARROW, accepted, format_of
from .live import LiveRequest
from .paced import PacedResponse, Portions, Wanted
from .problems import of_scenario
from .scenario_streams import DayFormat, ScenarioRequest

LISTS = {"tables", "peak_hours"}
"""Parameters whose values a URL may give one by one."""
PARQUET = "application/vnd.apache.parquet"
DOCUMENTS = {
    "*/*": "json",
    "application/*": "json",
    "application/json": "json",
    ARROW: "arrow",
    PARQUET: "parquet",
}
"""Forms of a table of a day, by media type."""
PAGE = FilePath(__file__).parent / "page.html"


@dataclass
class Service:
    """What the answers share.

    Attributes
    ----------
    storage : where scenarios have landed.
    token : what clients must bring; None: nothing.
    closing : set when the server is about to end.
    """

    storage: Storage = field(default_factory=lambda: DuckDBFile(default_database()))
    token: str | None = None
    slots: Slots = field(default_factory=lambda: Slots(MAX_STREAMS))
    closing: asyncio.Event = field(default_factory=asyncio.Event)


AnyPosition = Annotated[str | None, Header(alias="Last-Event-ID", max_length=200)]
Name = Annotated[str, Path(max_length=63)]


def create_app(service: Service | None = None) -> FastAPI:
    """The service as an ASGI application."""
    service = service or Service()
    app = FastAPI(
        title="SIMTOM",
        version=version("simtom-pipeline"),
        description="Synthetic, labelled, drifting event history as a live stream that resumes exactly.",
    )
    answer_errors(app)
    if service.token is not None:
        app.add_middleware(TokenRequired, token=service.token)
    _about(app, service)
    _streams(app, service)
    return app


def _about(app: FastAPI, service: Service) -> None:
    @app.get("/", response_model=Status, summary="Status; for browsers the page")
    def status(request: Request) -> Any:
        if "text/html" in request.headers.get("accept", "") and PAGE.is_file():
            return FileResponse(PAGE, media_type="text/html")
        return Status(
            status="running",
            version=app.version,
            generators_available=sorted(registry().generators),
            scenarios_available=sorted(scenario.name for scenario in load_all()[0]),
            open_streams=service.slots.open,
        )

    @app.head("/", include_in_schema=False)
    @app.head("/health", include_in_schema=False)
    def head() -> Response:
        return Response()

    @app.get("/health", summary="That the server lives")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/generators", summary="Every generator with its parameters")
    def generators() -> list[GeneratorInfo]:
        return [
            GeneratorInfo(
                name=name,
                description=(generator.__doc__ or "").strip().splitlines()[0],
                config_schema=LiveRequest.model_json_schema(),
                settings_schema=generator.settings_model.model_json_schema(),
            )
            for name, generator in sorted(registry().generators.items())
        ]

    @app.get("/scenarios", summary="Every scenario; of those that cannot be used, what is wrong")
    def scenarios() -> list[ScenarioInfo | BrokenScenario]:
        loaded, broken = load_all()
        return [
            *(ScenarioInfo(**_info(scenario)) for scenario in loaded),
            *(BrokenScenario(name=name, problems=of_scenario(why).detail) for name, why in broken.items()),
        ]

    @app.get("/scenarios/{name}", summary="A scenario, resolved", responses=PLAIN_RESPONSES)
    def scenario(name: Name) -> ScenarioDetail:
        found = streams.scenario_named(name)
        return ScenarioDetail(
            **_info(found),
            world=Simulation(found).world.digest,
            resolved=found.model_dump(mode="json", by_alias=True),
        )

    @app.get(
        "/scenarios/{name}/days/{day}", summary="What a day is expected to bring", responses=PLAIN_RESPONSES
    )
    def day_info(request: Request, name: Name, day: date) -> DayInfo:
        _no_others(request)
        simulation = Simulation(streams.scenario_named(name))
        _check_day(simulation.scenario, day)
        return _expected(simulation, day)

    @app.get(
        "/scenarios/{name}/days/{day}/{table}",
        summary="A table of a day, as it lands",
        responses=PLAIN_RESPONSES,
        response_class=Response,
    )
    def day_table(
        request: Request,
        name: Name,
        day: date,
        table: Name,
        form: Annotated[DayFormat | None, Query(alias="format")] = None,
    ) -> Response:
        _no_others(request, "format")
        simulation = Simulation(streams.scenario_named(name))
        _check_day(simulation.scenario, day)
        tables = simulation.simulate_day(day)
        if table not in tables:
            raise streams.UnknownError("table", table, sorted(tables))
        return _as(tables[table], form or _accepted_document(request))


def _streams(app: FastAPI, service: Service) -> None:
    schema = {"requestBody": {"content": {"application/json": {"schema": LiveRequest.model_json_schema()}}}}

    @app.post(
        "/stream/{generator}",
        summary="A live stream",
        responses=STREAM_RESPONSES,
        response_class=Response,
        openapi_extra=schema,
    )
    async def post_stream(generator: Name, request: Request, last_event_id: AnyPosition = None) -> Response:
        asked = _read_body(await _body(request))
        make = partial(streams.live, asked, generator, last_event_id)
        return await _answer(request, service, make, Wanted())

    @app.get(
        "/stream/{generator}", summary="A live stream", responses=STREAM_RESPONSES, response_class=Response
    )
    async def get_stream(
        generator: Name,
        request: Request,
        asked: Annotated[LiveRequest, Query()],
        last_event_id: AnyPosition = None,
    ) -> Response:
        _said_once(request)
        make = partial(streams.live, asked, generator, last_event_id)
        return await _answer(request, service, make, Wanted())

    @app.get(
        "/scenarios/{name}/stream",
        summary="A scenario as a stream",
        responses=STREAM_RESPONSES,
        response_class=Response,
    )
    async def scenario_stream(
        name: Name,
        request: Request,
        asked: Annotated[ScenarioRequest, Query()],
        last_event_id: AnyPosition = None,
    ) -> Response:
        _said_once(request)
        wanted = Wanted()
        make = partial(streams.of_scenario, asked, name, service.storage, last_event_id, wanted)
        return await _answer(request, service, make, wanted)


async def _answer(
    request: Request, service: Service, make: Callable[[], streams.Asked], wanted: Wanted
) -> Response:
    """The stream; what is wrong is found before the first byte is sent."""
    media_type = accepted(request.headers.get("accept"))
    service.slots.take()
    try:
        asked = await to_thread.run_sync(make)
        portions = Portions(asked.stream.portions(asked.position))
        first = await wanted.first(portions, request.receive, service.closing)
        if first is None:
            service.slots.give_back()
            return Response(status_code=204, headers=asked.headers)
        selection = asked.stream.selection
        kinds = len(selection.tables) + len(selection.outcomes)
        form = format_of(media_type, first, kinds, asked.named)
        origin = asked.begins if asked.position is None else int(first.moment[0])
        return PacedResponse(
            first, portions, form, asked.speed, origin, asked.headers, service.slots, service.closing
        )
    except BaseException:
        service.slots.give_back()
        raise


def _no_others(request: Request, *names: str) -> None:
    """SelectionError for a parameter of another name."""
    for name in request.query_params:
        if name not in names:
            raise SelectionError(name, "an unknown parameter", ", ".join(names) or "none")


def _said_once(request: Request) -> None:
    """SelectionError for a parameter that a URL gives several values of, unless it is a list."""
    for name in request.query_params:
        if name not in LISTS and (n := len(request.query_params.getlist(name))) > 1:
            raise SelectionError(name, f"{n} values", "one")


async def _body(request: Request) -> bytes:
    """The body of a request, as far as it is not too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError
    return body


def _read_body(body: bytes) -> LiveRequest:
    """The parameters in a body of JSON, whatever type it is said to be; RequestValidationError."""
    try:
        said = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise SelectionError("body", str(error), "a JSON object") from None
    if not isinstance(said, dict):
        raise SelectionError("body", orjson.dumps(said).decode()[:200], "a JSON object")
    try:
        return LiveRequest.model_validate(said)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _info(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "description": scenario.description,
        "generator": scenario.generator,
        "first_day": scenario.clock.start,
        "last_day": scenario.clock.end,
        "digest": scenario.digest,
        "tables": streamed_tables(Simulation(scenario)),
    }


def _check_day(scenario: Scenario, day: date) -> None:
    if not scenario.clock.start <= day <= scenario.clock.end:
        days = f"{scenario.clock.start} to {scenario.clock.end}"
        raise streams.UnknownError("day", str(day), [days])


def _expected(simulation: Simulation, day: date) -> DayInfo:
    process = simulation.generator.arrivals
    clock = simulation.scenario.clock
    drifts = [drift for drift in simulation.scenario.all_drifts if drift.schedule is not None]
    return DayInfo(
        day=day,
        expected_count=process.expected_count(day),
        expected_by_hour=process.expected_by_hour(day).tolist(),
        drift_weights={drift.id: ScheduleCurve(drift.schedule, clock).weight(day) for drift in drifts},
    )


def _accepted_document(request: Request) -> DayFormat:
    """The form of a document that a client accepts; JSON where it does not say."""
    found: Any = accepted(request.headers.get("accept"), DOCUMENTS)
    return found


def _as(rows: pa.Table, form: DayFormat) -> Response:
    """Rows of a table as one document."""
    if form == "json":
        return Response(orjson.dumps(plain_columns(rows).to_pylist()), media_type="application/json")
    sink = BytesIO()
    if form == "parquet":
        pq.write_table(rows, sink)
        return Response(sink.getvalue(), media_type=PARQUET)
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return Response(sink.getvalue(), media_type=ARROW)
