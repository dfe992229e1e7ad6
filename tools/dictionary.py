"""The data dictionary, `docs/tables.md`: every table and view, from the contracts."""

from simtom_pipeline.contracts import TableContract, ViewContract
from simtom_pipeline.corruption.ledgers import FAULT_LEDGER, NOISE_LEDGER
from simtom_pipeline.generators.drift.ledger import DERIVED
from simtom_pipeline.record_tables import RECORDS
from simtom_pipeline.simulation import registry

from . import BUILT_IN_GENERATOR, REPOSITORY

DICTIONARY_FILE = REPOSITORY / "docs" / "tables.md"


def dictionary_text() -> str:
    """The data dictionary in Markdown."""
    generator = registry().generator(BUILT_IN_GENERATOR)
    parts = [
        "# Tables\n\nMade from the table contracts by `make docs`; every table and column carries the same"
        " words as a DuckDB comment. `<scenario>` is the scenario's name.\n",
        *(_table(contract) for contract in generator.true_tables()),
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
        facts.append("Measured on what has landed, and replaced as a whole.")
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
