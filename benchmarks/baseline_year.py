"""What a year costs: against the same Dagster graph with empty bodies, in rows a second, in memory.

    python benchmarks/baseline_year.py ratio       # the year against the empty graph, in turn
    python benchmarks/baseline_year.py rows        # simulation alone
    python benchmarks/baseline_year.py landing     # simulate and land against DuckDB loading the same Arrow
    python benchmarks/baseline_year.py record      # landing with the record of content and without, in turn
    python benchmarks/baseline_year.py memory      # peak memory at 30, 366 and 1,096 days

Every measured run is a process of its own with an empty home. Wall time is noisy on shared machines:
look at the ratio, and at processor time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

ROUNDS = 3


def measured(*arguments: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak megabytes of this script called with `arguments`."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, *arguments]
        environment = {**os.environ, "SIMTOM_HOME": home}
        started = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{command} failed")
        return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Silent:
    """Nobody watches."""

    def landed(self, days: int) -> None:
        """Say nothing."""


def real_year(end: str) -> None:
    """`simtom run baseline` without its output."""
    from simtom_pipeline import load_scenario
    from simtom_pipeline.assets.run import run_history
    from simtom_pipeline.home import default_database, simtom_home

    scenario = load_scenario("baseline", {"clock.end": end})
    report = run_history(scenario, scenario.clock.days(), default_database(), simtom_home(), Silent())
    assert not report.failed_checks


def empty_year() -> None:
    """The same assets, partitions and checks; nothing is simulated, landed or looked at."""
    import dagster as dg

    from simtom_pipeline import load_scenario
    from simtom_pipeline.assets.factory import resources, scenario_definitions
    from simtom_pipeline.assets.instance import prepare_instance
    from simtom_pipeline.assets.partitions import range_tags
    from simtom_pipeline.home import default_database, simtom_home

    scenario = load_scenario("baseline")
    graphs = dg.Definitions.merge(
        dg.Definitions(resources=resources(str(default_database()), Silent())),
        scenario_definitions(scenario, default_database()),
    )
    order = list(graphs.resolve_asset_graph().toposorted_asset_keys)
    specs = sorted(graphs.resolve_all_asset_specs(), key=lambda spec: order.index(spec.key))
    check_specs = [spec for checks in graphs.asset_checks or [] for spec in checks.check_specs]

    def empty(name: str, own: list[dg.AssetSpec]) -> dg.AssetsDefinition:
        @dg.multi_asset(name=name, specs=own, backfill_policy=dg.BackfillPolicy.single_run())
        def body():  # type: ignore[no-untyped-def]
            for spec in own:
                yield dg.MaterializeResult(spec.key)

        return body

    @dg.multi_asset_check(name="checks", specs=check_specs)
    def checks():  # type: ignore[no-untyped-def]
        for spec in check_specs:
            yield dg.AssetCheckResult(passed=True, asset_key=spec.asset_key, check_name=spec.name)

    views = [spec for spec in specs if "view" in spec.kinds]
    constants = [spec for spec in specs if spec.partitions_def is None and spec not in views]
    daily = [spec for spec in specs if spec.partitions_def is not None]
    job = dg.define_asset_job("year", executor_def=dg.in_process_executor)
    assets = [empty("constants", constants), empty("history", daily), empty("views", views)]
    definitions = dg.Definitions(assets=assets, asset_checks=[checks], jobs=[job])
    prepare_instance(simtom_home())
    days = scenario.clock.days()
    with dg.DagsterInstance.get() as instance:
        definitions.resolve_job_def("year").execute_in_process(
            instance=instance,
            tags=range_tags(days[0].isoformat(), days[-1].isoformat()),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def ratio() -> None:
    """The year against the empty graph, in turn."""
    real, empty = [], []
    for _ in range(ROUNDS):
        real.append(measured("_real", "2024-12-31"))
        empty.append(measured("_empty"))
    for name, runs in (("year", real), ("empty graph", empty)):
        walls, cpus = [run[0] for run in runs], [run[1] for run in runs]
        print(
            f"{name:12} wall {statistics.median(walls):6.1f} s   processor {statistics.median(cpus):6.1f} s"
        )
    for figure, name in ((0, "wall"), (1, "processor")):
        ratios = [r[figure] / e[figure] for r, e in zip(real, empty, strict=True)]
        print(
            f"ratio {name:9} median {statistics.median(ratios):.2f}"
            f" (from {min(ratios):.2f} to {max(ratios):.2f})"
        )


def rows() -> None:
    """Rows a processor second, simulation alone, at two volumes, once the first days are drawn."""
    from simtom_pipeline import load_scenario, simulate_day

    for volume in (1_000, 27_000):
        scenario = load_scenario("baseline", {"volume.base_daily_volume": volume})
        start = scenario.clock.start
        simulate_day(scenario, start + timedelta(1))
        began, transactions, everything = time.process_time(), 0, 0
        for n in range(2, 92):
            tables = simulate_day(scenario, start + timedelta(n))
            transactions += tables["transactions"].num_rows
            everything += sum(table.num_rows for name, table in tables.items() if name != "products")
        spent = time.process_time() - began
        print(
            f"{volume:6,} a day: {transactions / spent:9,.0f} transactions, {everything / spent:9,.0f} rows"
            f" of all tables a processor second ({1000 * spent / 90:.1f} ms a day)"
        )


def landing() -> None:
    """Simulate-and-land of 90 days at 27,000 a day against DuckDB alone loading the same Arrow tables."""
    import duckdb
    import pyarrow as pa

    from simtom_pipeline import load_scenario, simulate_day
    from simtom_pipeline.history import land_history
    from simtom_pipeline.landing import connect, create_table, table_name
    from simtom_pipeline.simulation import Simulation

    scenario = load_scenario("baseline", {"volume.base_daily_volume": 27_000})
    simulation, days = Simulation(scenario), scenario.clock.days()[:90]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.duckdb"
        began, cpu = time.monotonic(), time.process_time()
        land_history(simulation, days, lambda: connect(file), lambda n: None)
        both, both_cpu = time.monotonic() - began, time.process_time() - cpu
        simulated = [simulate_day(scenario, day) for day in days]
        daily = simulation.relations.daily
        tables = {c.name: pa.concat_tables([s[c.name] for s in simulated]) for c in daily}
        with duckdb.connect(str(Path(folder) / "alone.duckdb")) as connection:
            connection.execute("CREATE SCHEMA baseline; CREATE SCHEMA baseline_truth")
            began, cpu = time.monotonic(), time.process_time()
            for contract in daily:
                connection.execute(create_table("baseline", contract)[0])
                loaded = tables[contract.name]  # noqa: F841
                connection.execute(f"INSERT INTO {table_name('baseline', contract)} BY NAME FROM loaded")
            alone, alone_cpu = time.monotonic() - began, time.process_time() - cpu
    print(f"simulate and land: wall {both:.1f} s, processor {both_cpu:.1f} s")
    print(f"DuckDB alone:      wall {alone:.1f} s, processor {alone_cpu:.1f} s")
    print(f"ratio: wall {both / alone:.2f}, processor {both_cpu / alone_cpu:.2f}")


def record() -> None:
    """Processor seconds of landing 120 days with and without digests of their content, in turn."""
    import pyarrow as pa

    from simtom_pipeline import load_scenario
    from simtom_pipeline.landing import connect, replace_days
    from simtom_pipeline.records import Recorder
    from simtom_pipeline.simulation import Simulation

    scenario = load_scenario("baseline")
    simulation, days = Simulation(scenario), scenario.clock.days()[:120]
    began = time.process_time()
    simulated = [simulation.simulate_day(day) for day in days]
    simulating = time.process_time() - began
    batches = [
        {
            c.name: pa.concat_tables([s[c.name] for s in part]) if c.daily else part[0][c.name]
            for c in simulation.relations.simulated
        }
        for part in (simulated[n : n + 30] for n in range(0, len(days), 30))
    ]

    def landed(recorder: Recorder | None) -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            for n, tables in enumerate(batches):
                with connect(Path(folder) / "history.duckdb") as connection:
                    some = days[30 * n : 30 * n + 30]
                    replace_days(connection, simulation.relations, some, tables, recorder)
            return time.process_time() - began

    figures = []
    for _ in range(ROUNDS):
        recorder = Recorder(scenario.name, simulation.world, scenario.clock, fresh=False, days=days)
        figures.append((landed(None), landed(recorder)))
    without, with_record = (statistics.median(column) for column in zip(*figures, strict=True))
    print(
        f"simulating {simulating:.2f}, landing {without:.2f}, with the record {with_record:.2f} processor s"
    )
    print(
        f"the record costs {with_record / without - 1:.0%} of landing,"
        f" {(with_record - without) / (simulating + without):.0%} of simulating and landing"
    )


def memory() -> None:
    """Peak memory of `simtom run baseline` over clocks of three lengths."""
    for days in (30, 366, 1096):
        end = date(2024, 1, 1) + timedelta(days - 1)
        wall, _, peak = measured("_real", end.isoformat())
        print(f"{days:5} days: peak {peak:6.0f} MB, wall {wall:.0f} s")


BENCHMARKS = {
    "ratio": ratio,
    "rows": rows,
    "landing": landing,
    "record": record,
    "memory": memory,
    "_empty": empty_year,
}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*BENCHMARKS, "_real"])
    parser.add_argument("end", nargs="?", default="2024-12-31")
    arguments = parser.parse_args()
    if arguments.what == "_real":
        real_year(arguments.end)
    else:
        BENCHMARKS[arguments.what]()


if __name__ == "__main__":
    main()
