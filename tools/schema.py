"""The JSON schema of scenarios, which editors read: `simtom_pipeline/scenarios/scenario.schema.json`."""

import json

from simtom_pipeline.scenarios.schema import json_schema
from simtom_pipeline.simulation import registry

from . import BUILT_IN_GENERATOR, REPOSITORY

SCHEMA_FILE = REPOSITORY / "simtom_pipeline" / "scenarios" / "scenario.schema.json"


def schema_text() -> str:
    """The JSON schema, for the generators that come with the package."""
    generator = registry().generator(BUILT_IN_GENERATOR)
    return json.dumps(json_schema({BUILT_IN_GENERATOR: generator.settings_model}), indent=1) + "\n"
