"""The JSON schema of a scenario file, for editors that complete and check YAML as it is typed."""

from collections.abc import Mapping
from typing import Any

from .base import OUTCOME_RATE, DriftVocabulary, GeneratorSettings
from .models import Scenario


def json_schema(sections: Mapping[str, type[GeneratorSettings]]) -> dict[str, Any]:
    """Schema of a scenario whose generator may have any of the `sections`.

    A file may leave out what the scenario it extends says, and null resets a key: so only the name is
    required, and null is allowed wherever a key is.
    """
    schema = Scenario.model_json_schema()
    schema["title"] = "simtom_pipeline scenario"
    del schema["properties"]["settings"]
    for name, model in sections.items():
        own = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        schema["$defs"] |= {f"{name}.{key}": value for key, value in own.pop("$defs", {}).items()}
        schema["$defs"][f"{name}.settings"] = own
        _add_words(schema["$defs"], model.drift_vocabulary)
        schema["properties"][name] = {"$ref": f"#/$defs/{name}.settings"}
    schema["$defs"].pop(GeneratorSettings.__name__, None)
    for model in (schema, *schema["$defs"].values()):
        _all_optional(model)
    schema["required"] = ["name"]
    schema["properties"]["name"] = schema["properties"]["name"]["anyOf"][0]
    return schema


def _add_words(definitions: dict[str, Any], words: DriftVocabulary) -> None:
    """Allow the kinds of drift of a generator, and its own word for an `outcome_rate`."""
    kinds = definitions["Drift"]["properties"]["kind"].setdefault("enum", [])
    kinds += [kind for kind in words.kinds if kind not in kinds]
    sizes = definitions["Effect"]["properties"]
    sizes[words.outcome_rate] = sizes[OUTCOME_RATE] | {"title": words.outcome_rate.replace("_", " ").title()}


def _all_optional(model: dict[str, Any]) -> None:
    model.pop("required", None)
    for key, value in model.get("properties", {}).items():
        model["properties"][key] = {"anyOf": [value, {"type": "null"}]}
