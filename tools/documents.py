"""The documents that follow from declarations: JSON schema, data dictionary, pictures of the scenarios.

`python -m tools.documents` writes them; a test fails when schema or dictionary are not current.
"""

from .dictionary import DICTIONARY_FILE, dictionary_text
from .pictures import write_pictures
from .schema import SCHEMA_FILE, schema_text


def main() -> None:
    """Write all three."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    DICTIONARY_FILE.write_text(dictionary_text(), encoding="utf-8")
    write_pictures()


if __name__ == "__main__":
    main()
