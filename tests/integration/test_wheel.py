"""The package as a stranger gets it: a wheel, in an empty environment, run from another folder.

Dependencies come from the environment of the tests, so that nothing is downloaded; simtom_pipeline itself
does not, and the first test says so.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "simtom_pipeline"
SMALL = ["--set", "volume.base_daily_volume=100", "--set", "bnpl.population.initial_customers=300"]


def succeed(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clean_environment() -> dict[str, str]:
    """The variables of this process but those that could lead Python to the repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SIMTOM"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, clean_environment: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    succeed(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], ROOT, clean_environment
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def commands(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, clean_environment: dict[str, str]
) -> Path:
    """Folder of the commands of a new environment with the wheel in it.

    A path in a .pth file is added to sys.path as it is: .pth files in there, such as that of an editable
    install, are not followed.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths("venv", {"base": str(folder), "platbase": str(folder)})
    dependencies = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (Path(paths["purelib"]) / "dependencies.pth").write_text("\n".join(sorted(dependencies)) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", Path(paths["scripts"]) / "python"]
    quietly = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    succeed([*pip, "install", *quietly, wheel], folder, clean_environment)
    return Path(paths["scripts"])


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = (path for path in (ROOT / PACKAGE).rglob("*") if path.is_file())
    assert held == {path.relative_to(ROOT).as_posix() for path in sources if "__pycache__" not in path.parts}
    assert {Path(name).suffix for name in held} >= {".py", ".yaml", ".json"}


def test_the_environment_takes_the_package_from_the_wheel(
    commands: Path, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    said = succeed(
        [commands / "python", "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)"],
        tmp_path,
        clean_environment,
    )
    assert Path(said.strip()).is_relative_to(commands.parent)


def test_the_installed_command_simulates_and_checks_from_another_folder(
    commands: Path, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    home, folder = tmp_path / "a_home", tmp_path / "elsewhere"
    folder.mkdir()
    environment = {**clean_environment, "SIMTOM_HOME": str(home)}
    said = succeed(
        [commands / "simtom", "run", "baseline", "--to", "2024-01-03", *SMALL], folder, environment
    )
    assert "baseline.transactions" in said
    assert not list(folder.iterdir())
    with duckdb.connect(str(home / "simtom.duckdb"), read_only=True) as connection:
        days = connection.execute("SELECT count(DISTINCT day) FROM baseline.transactions").fetchall()
        assert days == [(3,)]
        assert connection.execute("SELECT count(*) FROM baseline.bnpl_records").fetchall() > [(0,)]
        assert connection.execute("SELECT count(*) FROM baseline_truth.default_risk").fetchall() > [(0,)]
