"""What `dagster` loads: the graphs of every scenario, built in and the user's own. Assembly only."""

import logging

from .lasting import lasting

with lasting():
    import dagster as dg

    from .assets.broken import broken_definitions
    from .assets.factory import LogProgress, resources, scenario_definitions
    from .home import default_database
    from .landing import DuckDBFile
    from .simulation import load_all, registry

_logger = logging.getLogger("simtom")


@lasting()
def build() -> dg.Definitions:
    """The code location; of a broken scenario it shows what is wrong."""
    scenarios, broken = load_all()
    for name, problems in broken.items():
        _logger.warning("scenario %s is left out:\n%s", name, problems)
    for source, error in registry().failures.items():
        _logger.warning("generator left out: %s: %s", source, error)
    database = default_database()
    shared = dg.Definitions(
        resources=resources(str(database), LogProgress()), executor=dg.in_process_executor
    )
    graphs = (scenario_definitions(scenario, DuckDBFile(database)) for scenario in scenarios)
    said = {name: str(problems) for name, problems in broken.items()}
    return dg.Definitions.merge(shared, *graphs, broken_definitions(said))


defs = build()
