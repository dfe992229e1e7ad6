"""What simulating and landing the baseline costs, part by part; whole runs are measured in costs.py.

    python benchmarks/baseline_year.py rows        # simulation alone
    python benchmarks/baseline_year.py landing     # simulate and land against DuckDB loading the same Arrow
    python benchmarks/baseline_year.py record      # landing with the record of content and without, in turn

Wall time is noisy on shared machines: look at ratios, and at processor time.
"""

import argparse
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

ROUNDS = 3


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
    from simtom_pipeline.landing import DuckDBFile, create_table, table_name
    from simtom_pipeline.simulation import Simulation

    scenario = load_scenario("baseline", {"volume.base_daily_volume": 27_000})
    simulation, days = Simulation(scenario), scenario.clock.days()[:90]
    daily = simulation.relations.daily
    with tempfile.TemporaryDirectory() as folder:
        storage = DuckDBFile(Path(folder) / "history.duckdb")
        began, cpu = time.monotonic(), time.process_time()
        land_history(simulation, days, storage, lambda n: None)
        both, both_cpu = time.monotonic() - began, time.process_time() - cpu
        simulated = [simulate_day(scenario, day) for day in days]
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
    from simtom_pipeline.landing import DuckDBFile
    from simtom_pipeline.landing.records import Recorder
    from simtom_pipeline.simulation import Simulation

    scenario = load_scenario("baseline")
    simulation, days = Simulation(scenario), scenario.clock.days()[:120]
    relations = simulation.relations
    began = time.process_time()
    simulated = [simulation.simulate_day(day) for day in days]
    simulating = time.process_time() - began
    batches = [
        {
            c.name: pa.concat_tables([s[c.name] for s in part]) if c.daily else part[0][c.name]
            for c in relations.simulated
        }
        for part in (simulated[n : n + 30] for n in range(0, len(days), 30))
    ]

    def landed(recorder: Recorder | None) -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            for n, tables in enumerate(batches):
                with DuckDBFile(Path(folder) / "history.duckdb").open() as database:
                    database.replace_days(relations, days[30 * n : 30 * n + 30], tables, recorder)
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


BENCHMARKS = {
    "rows": rows,
    "landing": landing,
    "record": record,
}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*BENCHMARKS])
    BENCHMARKS[parser.parse_args().what]()


if __name__ == "__main__":
    main()
