"""Tables and views as SQL says them: what they are called, and what they are made of."""

from collections.abc import Sequence

from ..contracts import Column, TableContract, ViewContract
from ..sql import quoted, text, truth_schema
from .storage import Connection


def schema_of(scenario: str, contract: TableContract | ViewContract) -> str:
    """The schema a table or view lives in: `<scenario>`, or `<scenario>_truth`."""
    return truth_schema(scenario) if contract.truth else scenario


def table_name(scenario: str, contract: TableContract) -> str:
    """Quoted name of the table."""
    return quoted(schema_of(scenario, contract), contract.name)


def readable(connection: Connection, name: str) -> str:
    """The name as a person would write it: quoted only where it is a word of SQL."""
    keyword = "SELECT 1 FROM duckdb_keywords() WHERE keyword_name = ? AND keyword_category <> 'unreserved'"
    return quoted(name) if connection.execute(keyword, [name]).fetchall() else name


def create_table(scenario: str, contract: TableContract) -> list[str]:
    """DDL of a table and its comments, a statement each."""
    name = table_name(scenario, contract)
    columns = ",\n".join(
        f"  {quoted(c.name)} {c.type.sql}{'' if c.nullable else ' NOT NULL'}" for c in contract.columns
    )
    key = ", ".join(contract.primary_key)
    comment = f"A row is {contract.row}. Primary key: {key}."
    return [
        f"CREATE TABLE {name} (\n{columns}\n)",
        f"COMMENT ON TABLE {name} IS {text(comment)}",
        *_column_comments(name, contract.columns),
    ]


def create_view(scenario: str, view: ViewContract) -> list[str]:
    """DDL of a view or table macro and its comments, a statement each."""
    name = quoted(schema_of(scenario, view), view.name)
    select = view.sql(quoted(scenario), quoted(truth_schema(scenario)))
    if view.parameters:
        return [
            f"CREATE OR REPLACE MACRO {name}({', '.join(view.parameters)}) AS TABLE {select}",
            f"COMMENT ON MACRO TABLE {name} IS {text(f'A row is {view.row}.')}",
        ]
    return [
        f"CREATE OR REPLACE VIEW {name} AS {select}",
        f"COMMENT ON VIEW {name} IS {text(f'A row is {view.row}.')}",
        *_column_comments(name, view.columns),
    ]


def _column_comments(name: str, columns: Sequence[Column]) -> list[str]:
    return [f"COMMENT ON COLUMN {name}.{quoted(c.name)} IS {text(c.comment)}" for c in columns]
