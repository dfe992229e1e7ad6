"""The command `simtom`: what a person types, what they see, and the exit code.

0: fine. 1: a check failed. 2: the input was wrong, or a file or a disk cannot be used. A user's mistake is
one message and no traceback. So is a signal (130 after SIGINT, 143 after SIGTERM), which `__main__` answers.
What simulates, and Dagster, are imported only by the commands that need them.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.table import Table

from . import disk, interrupts
from .cli_options import allowed_to_listen, database_file, days_between, read_overrides, twin_of
from .home import simtom_home
from .landed_days import LandedDays
from .lasting import lasting
from .scenarios.problems import ScenarioError
from .terminal import err, out, print_checks, print_differences, progress_bar, summarise

if TYPE_CHECKING:
    from .assets.run import RunReport
    from .scenarios.models import Scenario

FINE, CHECK_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One YAML scenario in; a year of relational, labelled event history in DuckDB out.",
)

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A scenario's name, or a file ending in .yaml.")
]
First = Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day, 2024-06-01.")]
Last = Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day, inclusive.")]
Database = Annotated[Path | None, typer.Option(help="DuckDB file; default $SIMTOM_HOME/simtom.duckdb.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="volume.base_daily_volume=5000")
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Let this world take the place of another one that is in the file."),
]


def main() -> NoReturn:
    """The command, once its modules are imported."""
    try:
        app()
    except Exception as error:
        if not disk.is_full(error, simtom_home()):
            raise
        _say(_with_notes(f"{disk.describe_full(error, simtom_home())} Make room there and run again.", error))
        sys.exit(WRONG_INPUT)
    sys.exit(FINE)


@contextmanager
def user_mistakes() -> Iterator[None]:
    """A mistake in a scenario becomes its message and exit code 2."""
    from .generators.registry import DuplicateGeneratorError

    try:
        yield
    except (ScenarioError, DuplicateGeneratorError) as error:
        fail(str(error))


@contextmanager
def usable(place: Path, advice: str) -> Iterator[None]:
    """A folder or file that cannot be used becomes its message and exit code 2; a full disk is for `main`."""
    try:
        yield
    except OSError as error:
        if disk.is_full(error):
            raise
        fail(_with_notes(f"{error.filename or place}: {error.strerror or error}. {advice}", error))


def usable_home() -> AbstractContextManager[None]:
    """`usable`, for $SIMTOM_HOME."""
    return usable(simtom_home(), "Set SIMTOM_HOME to a folder of yours.")


def fail(message: str, code: int = WRONG_INPUT) -> NoReturn:
    """Print a message for the user and end."""
    _say(message)
    raise typer.Exit(code)


def _with_notes(message: str, error: Exception) -> str:
    """A message of an error, and what was noted about it on its way."""
    return " ".join([message, *getattr(error, "__notes__", [])])


def _say(message: str) -> None:
    err.print(message, style="red", markup=False, highlight=False, soft_wrap=True)


def _loaded(scenario: str, overrides: list[str] | None) -> "Scenario":
    """The scenario that a person names, with the values that they set."""
    from .simulation import load_scenario

    return load_scenario(scenario, read_overrides(overrides or []))


@app.command()
def scenarios() -> None:
    """List every scenario, and what is wrong with those that cannot be used."""
    from .simulation import load_all, registry

    table = Table("name", "days", "volume", "arrivals", "description", box=None, header_style="bold")
    with user_mistakes():
        loaded, broken = load_all()
        failures = registry().failures
    for s in loaded:
        days = f"{s.clock.start} to {s.clock.end}"
        volume = f"{s.volume.events_per_day:,.0f} a day"
        table.add_row(s.name, days, volume, s.arrivals.arrival_pattern, s.description)
    out.print(table)
    for source, why in failures.items():
        err.print(f"generator left out: {source}: {why}", style="yellow", markup=False, soft_wrap=True)
    for problems in broken.values():
        err.print(f"scenario left out: {problems}", style="yellow", markup=False, soft_wrap=True)


@app.command()
def check(scenario: ScenarioArgument) -> None:
    """Say whether a scenario is valid, without simulating it."""
    from .simulation import load_scenario, make_generator, without_weight

    with user_mistakes():
        loaded = load_scenario(scenario)
        process = make_generator(loaded).arrivals
    days = loaded.clock.days()
    expected = sum(process.expected_count(day) for day in days)
    out.print(
        f"{loaded.name} is valid: {len(days)} days from {days[0]} to {days[-1]}, about {expected:,.0f}"
        f" events of generator {loaded.generator}, {loaded.arrivals.arrival_pattern} arrivals,"
        f" seed {loaded.seed}.",
        highlight=False,
        soft_wrap=True,
    )
    for name in without_weight(loaded):
        out.print(f"{name} never acts: its schedule has no weight on any of these days.", highlight=False)


@app.command()
def init() -> None:
    """Set up $SIMTOM_HOME with a scenario to start from; files that are there stay as they are."""
    home = simtom_home()
    templates = Path(__file__).parent / "scenarios"
    wanted = {
        templates / "template.yaml": home / "scenarios" / "my_scenario.yaml",
        templates / "scenario.schema.json": home / "scenario.schema.json",
    }
    with usable_home():
        (home / "generators").mkdir(parents=True, exist_ok=True)
        (home / "scenarios").mkdir(exist_ok=True)
        for source, target in wanted.items():
            done = "kept   " if target.exists() else "created"
            if not target.exists():
                disk.write_whole(target, source.read_bytes())
            out.print(f"{done}  {target}", markup=False, highlight=False, soft_wrap=True)
    out.print(
        "Edit my_scenario.yaml, then: simtom check my_scenario, simtom run my_scenario", highlight=False
    )


@app.command()
def preview(
    scenario: ScenarioArgument,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to write; default $SIMTOM_HOME/previews.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Draw a scenario without simulating it: volume, hours, faults, every drift, as one page and as PNGs."""
    with user_mistakes():
        loaded = _loaded(scenario, overrides)
    from .preview.page import write_preview

    target = (folder or simtom_home() / "previews").expanduser().resolve()
    with usable(target, "Name another folder with --folder."):
        written = write_preview(loaded, target)
    for path in written:
        out.print(str(path), markup=False, highlight=False, soft_wrap=True)


@app.command()
def run(
    scenario: ScenarioArgument,
    first: First = None,
    last: Last = None,
    database: Database = None,
    overrides: Overrides = None,
    fresh: Fresh = False,
) -> None:
    """Simulate days, land them in DuckDB and check them, through Dagster."""
    with user_mistakes():
        loaded = _loaded(scenario, overrides)
        days, file = days_between(loaded, first, last), database_file(database)
    report = _land(loaded, days, file, fresh)
    raise typer.Exit(CHECK_FAILED if report.failed_checks else FINE)


@app.command()
def twin(
    scenario: ScenarioArgument,
    without: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A drift or fault, or all: drifts, faults.",
        ),
    ] = None,
    first: First = None,
    last: Last = None,
    database: Database = None,
    overrides: Overrides = None,
    fresh: Fresh = False,
) -> None:
    """Land the same world without a drift or fault as NAME__without_ID, and say how the two differ."""
    with user_mistakes():
        loaded = _loaded(scenario, overrides)
        counterfactual = twin_of(loaded, without)
        days, file = days_between(counterfactual, first, last), database_file(database)
    report = _land(counterfactual, days, file, fresh)
    _compare(loaded.name, counterfactual.name, file)
    raise typer.Exit(CHECK_FAILED if report.failed_checks else FINE)


@app.command()
def forget(
    scenario: Annotated[str, typer.Argument(metavar="NAME", help="Name of a landed scenario.")],
    database: Database = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove what has landed of a scenario, from the file and from Dagster's record; asks first."""
    from .assets import forget as removal
    from .landing import DuckDBFile, LandingError

    with user_mistakes():
        file = database_file(database)
    storage = DuckDBFile(file)
    try:
        with usable_home():
            days, rows = removal.landed_rows(storage, scenario)
            what = f"{days} days of {scenario}, {rows:,} rows in all tables, in {file}"
            if not yes and not _agreed(f"Remove {what}?"):
                fail("Nothing was removed.", INTERRUPTED)
            removal.forget(storage, scenario, simtom_home())
    except LandingError as error:
        fail(str(error))
    out.print(f"Removed {what}.", markup=False, highlight=False, soft_wrap=True)


def _agreed(question: str) -> bool:
    """Whether a person says yes; nobody there is no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False


@app.command()
def diff(
    one: Annotated[str, typer.Argument(metavar="A", help="Name of a landed scenario.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Name of another one, such as a twin.")],
    database: Database = None,
) -> None:
    """Say in which tables, columns and days two landed scenarios differ, value by value."""
    with user_mistakes():
        file = database_file(database)
    _compare(one, other, file)


def _compare(one: str, other: str, file: Path) -> None:
    """Say how two landed scenarios differ, or why that cannot be said."""
    from .landing import DuckDBFile, LandingError
    from .verification.twins import compare

    try:
        print_differences(one, other, compare(DuckDBFile(file), one, other))
    except LandingError as error:
        fail(str(error))


@app.command()
def verify(scenario: ScenarioArgument, database: Database = None, overrides: Overrides = None) -> None:
    """Check what has landed of a scenario, without Dagster: the same checks with the same verdicts."""
    from .landing import LandingError
    from .validation.decisions import CheckLine, Verdict
    from .verification.verify import verify as check_history

    with user_mistakes():
        loaded = _loaded(scenario, overrides)
        file = database_file(database)
    try:
        results = check_history(loaded, database=file)
    except LandingError as error:
        fail(str(error))
    lines = [
        CheckLine(result.place, result.name, result.verdict, result.finding.summary) for result in results
    ]
    print_checks(lines)
    raise typer.Exit(CHECK_FAILED if any(line.verdict is Verdict.FAILED for line in lines) else FINE)


def _land(loaded: "Scenario", days: list[date], file: Path, fresh: bool) -> "RunReport":
    """Run the days through Dagster and say what came of it."""
    with lasting():
        from .assets.instance import prepare_instance
        from .assets.run import is_shown, run_history
        from .landing import DuckDBFile, LandingError

    storage = DuckDBFile(file)
    so_far = LandedDays(days)
    interrupts.say_at_the_end(lambda: f"Interrupted. {so_far} {so_far.next_step}")
    try:
        with progress_bar(loaded.name, so_far) as progress:
            with usable_home():
                prepare_instance(simtom_home(), elsewhere=not is_shown(loaded, storage))
            report = run_history(loaded, days, storage, simtom_home(), progress, fresh)
    except LandingError as error:
        fail(f"{error}\n{so_far}")
    except Exception as error:
        if str(so_far) not in getattr(error, "__notes__", []):
            error.add_note(str(so_far))
        raise
    interrupts.say_at_the_end(lambda: f"Interrupted. {so_far}")
    summarise(loaded, report, file)
    return report


@app.command()
def replay(
    scenario: ScenarioArgument,
    to: Annotated[
        str, typer.Option(metavar="PLACE", help="-, FILE, FOLDER/, http://..., kafka://HOST:PORT/TOPIC")
    ] = "-",
    speed: Annotated[
        str | None, typer.Option(metavar="X|max", help="Simulated seconds a second; default max.")
    ] = None,
    time_compression: Annotated[
        str | None, typer.Option(metavar="X", help="Another word for --speed.")
    ] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day of delivery.")] = None,
    last: Annotated[str | None, typer.Option("--until", metavar="DAY", help="Last day of delivery.")] = None,
    tables: Annotated[
        str | None, typer.Option(metavar="A,B", help="Tables, or the flat record; default the events.")
    ] = None,
    order: Annotated[
        str, typer.Option(help="event_time, or ingested_at: as a feed delivers.")
    ] = "event_time",
    labels: Annotated[str, typer.Option(help="none, or as_known: each label when it is known.")] = "none",
    source: Annotated[str, typer.Option(help="simulated, or landed.")] = "simulated",
    after: Annotated[str | None, typer.Option(metavar="ID", help="Go on after this record.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="How many records.")] = None,
    database: Database = None,
    overrides: Overrides = None,
) -> None:
    """Play a scenario's records in order of time to a pipe, a file, a folder, an address or Kafka."""
    if speed is not None and time_compression is not None:
        fail("--speed and --time-compression are the same; give one of them.")
    with user_mistakes():
        loaded = _loaded(scenario, overrides)
        file = database_file(database)
    from .cli_replay import Asked, play
    from .landing import LandingError
    from .streaming.positions import AnotherStreamError
    from .streaming.selection import SelectionError
    from .streaming.sinks import SinkError

    pace = speed or time_compression or "max"
    asked = Asked(to, pace, first, last, tables, order, labels, source, after, limit, file)
    try:
        with user_mistakes(), usable(Path(to), "Name another place with --to."):
            play(loaded, asked)
    except (AnotherStreamError, LandingError, SelectionError, SinkError) as error:
        fail(_with_notes(str(error), error))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, envvar="PORT", help="Port to listen on.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="SIMTOM_TOKEN", help="What clients must bring: Authorization: Bearer TOKEN."),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Listen on any address, and let everybody who reaches it ask.")
    ] = False,
    database: Database = None,
) -> None:
    """Serve live streams, streams of every scenario, and a page to watch them, on http://HOST:PORT."""
    with user_mistakes():
        allowed_to_listen(host, token, no_auth)
        file = database_file(database)
    try:
        from .serving.server import serve as serve_http
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: pip install 'simtom-pipeline[serve]'")
    message = f"SIMTOM on http://{host}:{port}, its parameters on http://{host}:{port}/docs. Ctrl-C ends it."

    def listening() -> None:
        out.print(message, markup=False, highlight=False, soft_wrap=True)
        out.file.flush()

    with usable(Path(f"{host}:{port}"), "Name another address with --host and --port."):
        serve_http(host, port, token, file, listening)


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000) -> None:
    """Open Dagster on http://127.0.0.1:PORT with every scenario."""
    from .assets.instance import prepare_instance
    from .assets.ui import require_free, run_ui

    with usable_home():
        folder = prepare_instance(simtom_home())
    os.environ["SIMTOM_HOME"] = str(simtom_home())
    with usable(Path(f"127.0.0.1:{port}"), "Name another port with --port."):
        require_free(port)
    message = f"Dagster on http://127.0.0.1:{port}, history in {folder}. Ctrl-C ends it."
    out.print(message, markup=False, highlight=False, soft_wrap=True)
    out.file.flush()
    raise typer.Exit(run_ui(port))
