"""Where a stream has come to: the name of a record, after which the stream goes on anywhere."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

NUMBER = "(0|[1-9][0-9]{0,17})"
TEXT = re.compile(rf"[0-9a-f]{{16}}\.[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\.{NUMBER}\.{NUMBER}")
"""A position as text; there is one for each."""


class AnotherStreamError(ValueError):
    """A position is of another stream: another scenario, or another selection of its records."""

    def __init__(self, asked: str, here: str) -> None:
        self.asked, self.here = asked, here
        super().__init__(
            f"the position is of the stream {asked}, this one is {here}: another scenario, another version of"
            " the code that draws it, or another selection of tables, order or labels. Begin a new stream."
        )


@dataclass(frozen=True, order=True)
class Position:
    """A record of a stream.

    Attributes
    ----------
    digest : digest of the stream it is of; 16 hexadecimal digits.
    day : day of the simulated clock on which it is delivered.
    sequence : its number among the records of that day, from 0.
    count : how many records of the stream came before it, wherever the stream began; from 0.
    """

    digest: str
    day: date
    sequence: int
    count: int

    def __str__(self) -> str:
        return f"{self.digest}.{self.day}.{self.sequence}.{self.count}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The position that a text names.

        Raises
        ------
        ValueError : the text is none.

        Examples
        --------
        >>> str(Position.read("00ff00ff00ff00ff.2024-01-31.17.1042"))
        '00ff00ff00ff00ff.2024-01-31.17.1042'
        """
        try:
            if not TEXT.fullmatch(text):
                raise ValueError(text)
            digest, day, sequence, count = text.split(".")
            return cls(digest, date.fromisoformat(day), int(sequence), int(count))
        except ValueError:
            raise ValueError("the id of a record, as the stream sent it: DIGEST.DAY.SEQUENCE.COUNT") from None
