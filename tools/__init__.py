"""What writes into the repository: `schema` and `dictionary` from declarations, `pictures`, `calibration`.

`python -m tools.documents` writes the first three, `python -m tools.calibration` the last. It runs from
the repository and is not part of the wheel, where it would write into somebody's site-packages. Nothing
of `simtom_pipeline` imports it.
"""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
"""The top folder of the repository."""
BUILT_IN_GENERATOR = "bnpl"
"""The generator that comes with the package, whose settings and tables are documented."""
