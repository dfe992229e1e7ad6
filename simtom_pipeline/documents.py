"""Documents made from declarations: the JSON schema of scenarios, the data dictionary, pictures of drifts.

`python -m simtom_pipeline.documents` writes them; a test fails when schema or dictionary are not current.
"""

import json
from pathlib import Path

from .contracts import TableContract, ViewContract
from .generators.drift.ledger import DERIVED
from .generators.fault_contracts import FAULT_LEDGER, NOISE_LEDGER
from .pictures import charts, svg
from .record_tables import RECORDS
from .scenarios.schema import json_schema
from .simulation import load_scenario, registry

PACKAGE = Path(__file__).parent
SCHEMA_FILE = PACKAGE / "scenarios" / "scenario.schema.json"
DICTIONARY_FILE = PACKAGE.parent / "docs" / "tables.md"
SCENARIO_PAGES = PACKAGE.parent / "docs" / "scenarios"
BUILT_IN_GENERATOR = "bnpl"


def schema_text() -> str:
    """The JSON schema, for the generators that come with the package."""
    generator = registry().generator(BUILT_IN_GENERATOR)
    return json.dumps(json_schema({BUILT_IN_GENERATOR: generator.settings_model}), indent=1) + "\n"


def dictionary_text() -> str:
    """The data dictionary in Markdown."""
    generator = registry().generator(BUILT_IN_GENERATOR)
    parts = [
        "# Tables\n\nMade from the table contracts by `make docs`; every table and column carries the same"
        " words as a DuckDB comment. `<scenario>` is the scenario's name.\n",
        *(_table(contract) for contract in generator.clean_contracts()),
        *(_table(contract) for contract in (FAULT_LEDGER, NOISE_LEDGER, *DERIVED, *RECORDS)),
        *(_view(view) for view in generator.views),
    ]
    return "\n".join(parts)


def _table(contract: TableContract) -> str:
    schema = "<scenario>_truth" if contract.truth else "<scenario>"
    facts = [f"A row is {contract.row}.", f"Key: `{', '.join(contract.primary_key)}`."]
    if contract.foreign_keys:
        keys = ", ".join(f"`{key.column}` → `{key.parent}`" for key in contract.foreign_keys)
        facts.append(f"Points to: {keys}.")
    if contract.dated_by:
        facts.append(f"Dated by `{contract.dated_by}`.")
    if contract in DERIVED:
        facts.append("Measured on what has landed, and written anew as a whole.")
    elif contract in RECORDS:
        facts.append("Kept by landing itself.")
    elif not contract.daily:
        facts.append("The same for every day.")
    return f"## `{schema}.{contract.name}`\n\n{' '.join(facts)}\n\n{_columns(contract)}"


def _view(view: ViewContract) -> str:
    reads = ", ".join(f"`{name}`" for name in view.reads)
    kind = "table macro" if view.parameters else "view"
    return f"## `<scenario>.{view.call}` ({kind})\n\nA row is {view.row}. Reads {reads}.\n\n{_columns(view)}"


def _columns(contract: TableContract | ViewContract) -> str:
    lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    for column in contract.columns:
        kind = (
            column.type.sql if len(column.type.values) < 12 else f"ENUM of {len(column.type.values)} values"
        )
        lines.append(f"| `{column.name}` | `{kind}` | {column.scale} | {column.description} |")
    return "\n".join(lines) + "\n"


def write_pictures() -> None:
    """A picture of every drift, and of the faults, of the scenarios that have a page."""
    for page in sorted(SCENARIO_PAGES.glob("*.md")):
        for key, chart in charts(load_scenario(page.stem)).items():
            if key.startswith(("drift_", "faults")):
                target = SCENARIO_PAGES / f"{page.stem}_{key.removeprefix('drift_')}.svg"
                target.write_text(svg(chart))


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text())
    DICTIONARY_FILE.write_text(dictionary_text())
    write_pictures()
