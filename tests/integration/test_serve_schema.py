"""The OpenAPI document is true: whatever is asked within or beyond it, answers are as it says, and none is a 500."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from simtom_pipeline.serving.app import create_app

TRUE = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
schema = schemathesis.openapi.from_asgi("/openapi.json", create_app())


@schemathesis.hook
def map_query(context: object, query: dict[str, object] | None) -> dict[str, object] | None:
    """Streams end soon."""
    path = context.operation.path  # type: ignore[attr-defined]
    if not path.endswith("/stream") and not path.startswith("/stream/"):
        return query
    bound = (
        {"max_records": 2, "time_compression": 1000}
        if path.startswith("/stream/")
        else {"limit": 2, "speed": "max"}
    )
    return {**(query or {}), **bound}


@schemathesis.hook
def map_body(context: object, body: object) -> object:
    """So do those that are asked for by POST."""
    return {**body, "max_records": 2, "time_compression": 1000} if isinstance(body, dict) else body


@schema.parametrize()
@settings(
    max_examples=6, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
def test_answers_are_as_the_document_says(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=TRUE)
