"""What a run costs: time against simulating and landing alone, memory as the history grows.

    make benchmarks                              # everything, into docs/benchmarks.md; half an hour
    python benchmarks/costs.py time memory large location   # some of it, printed

Every figure is of a process of its own with an empty home. Machines are noisy: what is compared was measured
in turn in one run, and the median of the ratios is given.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
ROUNDS = 3
START = date(2024, 1, 1)
COMMAND = [sys.executable, "-m", "simtom_pipeline", "run", "baseline"]
SIMULATE_AND_LAND = """
import sys
from pathlib import Path
from simtom_pipeline.cli_options import read_overrides
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.simulation import Simulation, load_scenario
scenario = load_scenario("baseline", read_overrides(sys.argv[1:]))
storage = DuckDBFile(Path("history.duckdb"))
land_history(Simulation(scenario), scenario.clock.days(), storage, lambda days: None)
"""
LOCATION = "from simtom_pipeline.definitions import defs; defs.get_repository_def()"


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds of a process, and the most memory it had, in megabytes."""

    wall: float
    processor: float
    peak: float


def cost(*command: str) -> Cost:
    """Of a command in an empty home, which is also its folder."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "SIMTOM_HOME": home, "PYTHONPATH": str(PAGE.parents[1])}
        began = time.monotonic()
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
        return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def of(days: int, volume: int) -> list[str]:
    """Overrides of the baseline: so many days, so many purchases a day."""
    end = START + timedelta(days - 1)
    return [f"clock.end={end}", f"volume.base_daily_volume={volume}"]


def run(days: int, volume: int) -> Cost:
    """Of `simtom run`: simulate, land, measure and check through Dagster."""
    return cost(*COMMAND, *(word for pair in of(days, volume) for word in ("--set", pair)))


def simulate_and_land(days: int, volume: int) -> Cost:
    """Of simulating and landing the same days, without Dagster, measurements and checks."""
    return cost(sys.executable, "-c", SIMULATE_AND_LAND, *of(days, volume))


def in_turn(days: int, volume: int, rounds: int) -> Iterator[str]:
    """Rows of a table: the run, its simulating and landing, and the ratio."""
    pairs = [(run(days, volume), simulate_and_land(days, volume)) for _ in range(rounds)]
    for n, name in enumerate(("`simtom run`", "simulate and land")):
        figures = ([getattr(pair[n], figure) for pair in pairs] for figure in ("wall", "processor", "peak"))
        yield _row(days, volume, name, Cost(*map(statistics.median, figures)))
    ratios = [
        statistics.median(getattr(both, figure) / getattr(alone, figure) for both, alone in pairs)
        for figure in ("wall", "processor")
    ]
    yield f"| {days:,} | {volume:,} | ratio | {ratios[0]:.2f} | {ratios[1]:.2f} | |"


def _row(days: int, volume: int, what: str, of: Cost) -> str:
    return f"| {days:,} | {volume:,} | {what} | {of.wall:.1f} s | {of.processor:.1f} s | {of.peak:,.0f} MB |"


HEADING = "| days | a day | what | wall | processor | peak memory |\n|--|--|--|--|--|--|"


def time_() -> Iterator[str]:
    """The year of the baseline, and five years of few purchases."""
    yield f"## Time\n\nMedians of {ROUNDS}; the ratio is the median of the pairs'.\n\n{HEADING}"
    yield from in_turn(366, 1_000, ROUNDS)
    yield from in_turn(1_826, 20, 1)


def memory() -> Iterator[str]:
    """The same a day over more and more days."""
    yield f"## Memory\n\n{HEADING}"
    peaks = {}
    for days in (31, 366, 1_096):
        peaks[days] = run(days, 1_000)
        yield _row(days, 1_000, "`simtom run`", peaks[days])
    ratio = peaks[1_096].peak / peaks[366].peak
    yield f"\nThree years take {ratio:.2f} times the memory of one."


def large() -> Iterator[str]:
    """Millions of purchases."""
    yield f"## Large histories\n\n{HEADING}"
    yield from in_turn(31, 27_000, 1)
    yield from in_turn(121, 27_000, 1)


def location() -> Iterator[str]:
    """The code location with every built-in scenario."""
    costs = [cost(sys.executable, "-c", LOCATION) for _ in range(2 * ROUNDS - 1)]
    wall, processor = (statistics.median(getattr(one, of) for one in costs) for of in ("wall", "processor"))
    yield (
        "## Code location\n\nLoading every built-in scenario as Dagster does takes"
        f" {wall:.1f} s ({processor:.1f} s of processor time; median of {len(costs)})."
    )


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "time": time_,
    "memory": memory,
    "large": large,
    "location": location,
}


def machine() -> str:
    """What it was measured on."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} cores ({model}), {memory_gb:.0f} GB, Python {platform.python_version()},"
        f" DuckDB {duckdb.__version__}"
    )


def main() -> None:
    """Measure what is named, or everything, which is written to the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parts = parser.parse_args().parts
    sections = []
    for part in parts or PARTS:
        lines = []
        for line in PARTS[part]():
            print(line, flush=True)
            lines.append(line)
        sections.append("\n".join(lines))
    if not parts:
        introduction = (
            "# What a run costs\n\nMeasured by `make benchmarks` (`benchmarks/costs.py`) on "
            f"{machine()}. Every figure is of a process of its own in an empty home; the baseline, with its"
            " clock and volume set as the table says. A run is `simtom run`: simulate, land, measure, check,"
            " all through Dagster."
        )
        PAGE.write_text("\n\n".join([introduction, *sections]) + "\n")


if __name__ == "__main__":
    main()
