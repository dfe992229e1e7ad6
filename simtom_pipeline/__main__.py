"""The command `simtom`, also `python -m simtom_pipeline`. A signal ends it in good order, at any moment.

What the command does stands in `cli`, which is imported only once signals are heeded.
"""

import gc
from typing import NoReturn

from . import interrupts
from .lasting import lasting


def main() -> NoReturn:
    """Entry point of the command."""
    interrupts.heed()
    try:
        with lasting():
            from . import cli

        cli.main()
    except BaseException:
        # Whatever the signal was taken for on its way up.
        interrupts.ignore()
        if (number := interrupts.received()) is not None:
            interrupts.end(number)
        raise
    finally:
        # The process ends, and all its memory with it.
        gc.freeze()


if __name__ == "__main__":
    main()
