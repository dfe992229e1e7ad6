"""What is simulated is the same to the bit on any number of threads, and an ulp moves no parameter."""

import ast
import inspect
import math
import os
import pickle
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy._core import _multiarray_umath as numpy_core

import simtom_pipeline
from simtom_pipeline import load_scenario
from simtom_pipeline.generators.bnpl import credit, reference_population
from simtom_pipeline.generators.bnpl.config import AttributeCorrelation
from simtom_pipeline.generators.bnpl.drift_domain import LenderDrift
from simtom_pipeline.generators.drift import distances, resolution
from simtom_pipeline.generators.exact import correlated, exact_sum, rounded_root
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import make_generator
from simtom_pipeline.validation.drift import Bins, Yardstick
from simtom_pipeline.validation.outcomes import auc

DRIFTS: list[dict[str, Any]] = [
    {"id": "pricier", "kind": "covariate", "target": "amount", "effect": {"mean_ratio": 4.25}},
    {"id": "slower", "kind": "covariate", "target": "time_on_site_seconds", "effect": {"psi": 0.25}},
    {"id": "hastier", "kind": "covariate", "target": "price_comparison_time",
     "effect": {"ks": 0.2, "towards": "lower"}},
    {"id": "younger", "kind": "covariate", "target": "age_bracket",
     "effect": {"psi": 0.2, "towards": "18-24"}},
    {"id": "mobile", "kind": "covariate", "target": "device_type",
     "effect": {"hellinger": 0.05, "towards": "mobile"}},
    {"id": "turned", "kind": "concept", "target": "credit.coefficients.credit_score_range",
     "effect": {"to": -1.4, "default_rate": 0.0183}},
    {"id": "riskier", "kind": "prior", "effect": {"default_rate": 0.05}},
    {"id": "busier", "kind": "volume", "effect": {"mean_ratio": 1.3}},
]  # fmt: skip
SCHEDULES: list[dict[str, Any]] = [
    {"kind": "sudden", "at": "2024-01-05"},
    {"kind": "seasonal", "at": "2024-01-02", "period_days": 31},
    {"kind": "gradual", "at": "2024-01-12", "width_days": 20},
]
DAYS = ("2024-01-01", "2024-01-12")


def drifting() -> Scenario:
    """Every kind of solved parameter, drifts of every size among them."""
    drifts = [drift | {"schedule": SCHEDULES[n % 3]} for n, drift in enumerate(DRIFTS)]
    overrides = {"clock.end": "2024-01-31", "volume.base_daily_volume": 500, "drifts": drifts}
    return load_scenario("baseline", overrides)


def solved(scenario: Scenario) -> dict[str, Any]:
    """Every parameter that is solved for; a factor only as it is used, not by its logarithm."""
    generator: Any = make_generator(scenario)
    parameters = generator.resolution.parameters(dict.fromkeys([d.id for d in generator.drifts], 1.0))
    return {
        "model": vars(generator._default_model),
        "prices": generator._catalog.price_cents.tolist(),
        "parameters": {name: _plain(value) for name, value in parameters.items()},
        "parts": [(p.before, p.after) for drift in generator.drifts for p in drift.parts],
    }


def measured() -> list[Any]:
    """What is measured on many rows: the size of a drift, and an AUC."""
    random = np.random.default_rng(9)
    window, values = random.lognormal(0, 1, 40_000), random.lognormal(0.1, 1, 30_000)
    yardstick = Yardstick(Bins(0, np.array([0.5, 1.0, 2.0])), window, np.full(4, 0.25), of_logarithm=True)
    return [vars(yardstick.size(values)), auc((values > window[:30_000]).astype(float), values)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return np.asarray(value).tolist()


# sums and roots ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.1, 4.0])
def test_a_sum_does_not_depend_on_the_order_of_its_terms(spread: float) -> None:
    random = np.random.default_rng(3)
    values = random.standard_normal(65_536) * np.exp(spread * random.standard_normal(65_536))
    sums = {exact_sum(random.permutation(values)) for _ in range(5)}
    assert sums == {exact_sum(values)}
    assert exact_sum(values) == pytest.approx(math.fsum(values), rel=1e-15, abs=1e-14)


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [5e-324], [1e300, -1e300], [0.25, -0.5, 3.0]])
def test_a_sum_of_anything_is_its_sum(values: list[float]) -> None:
    assert exact_sum(np.array(values)) == pytest.approx(math.fsum(values), abs=1e-200)


@pytest.mark.parametrize("zero", [0.1, 0.125, 1 / 3, math.pi / 4, 0.0, -0.7])
@pytest.mark.parametrize("slope", [1.0, -3.0])
def test_a_root_depends_neither_on_the_way_to_it_nor_on_the_last_digits(zero: float, slope: float) -> None:
    random = np.random.default_rng(4)
    found = set()
    for low, high in ((-1.0, 1.0), (-7.3, 2.9), (zero - 1e-7, zero + 5.0)):
        noise = dict[float, float]()

        def excess(x: float, noise: dict[float, float] = noise) -> float:
            return slope * (np.expm1(x - zero) + noise.setdefault(x, 1e-15 * random.uniform(-1, 1)))

        found.add(rounded_root(excess, low, high))
    assert found == {round(zero, 9)}


def test_the_root_of_a_step_is_where_it_rises() -> None:
    """Also where the wanted value is met exactly over a long stretch."""
    assert rounded_root(lambda x: np.floor(8 * x) / 8 - 0.25, 0.0, 1.0) == 0.25
    assert rounded_root(lambda x: float(x > 0.3) - 0.5, 0.0, 1.0) == 0.3


def test_every_root_is_found_where_it_is_rounded() -> None:
    package = Path(simtom_pipeline.__file__).parent
    solvers = ("scipy.optimize", "brentq", "root_scalar", "fsolve")
    files = [f for f in package.rglob("*.py") if any(name in f.read_text("utf-8") for name in solvers)]
    assert [file.name for file in files] == ["exact.py"]


def test_correlated_normals_depend_on_no_other_column() -> None:
    matrix = AttributeCorrelation(age_income=0.3, income_credit=0.45, credit_stability=-0.2).matrix()
    independent = list(np.random.default_rng(5).standard_normal((5, 30_000)))
    rows = correlated(matrix, independent)
    np.testing.assert_allclose(rows, np.linalg.cholesky(matrix) @ independent, atol=1e-14)
    for n in (1, 7, 1023):
        assert np.array_equal(correlated(matrix, [normal[:n] for normal in independent]), rows[:, :n])


FROM_A_MATRIX_LIBRARY = {
    *("dot", "vdot", "vecdot", "inner", "matmul", "einsum", "tensordot", "convolve", "correlate", "linalg"),
    *("cov", "corrcoef", "polyfit", "roots_hermitenorm", "hermegauss", "wasserstein_distance"),
}


def test_nothing_simulated_or_measured_comes_from_a_matrix_library() -> None:
    """BLAS and LAPACK sum in an order that depends on the number of threads and on the processor."""
    found = []
    for file in sorted(Path(simtom_pipeline.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            imported = getattr(node, "name", None)
            of_module = isinstance(node, ast.Attribute) and ast.unparse(node.value) in (
                "np",
                "stats",
                "scipy",
                "scipy.stats",
            )
            name = node.attr if of_module else imported  # type: ignore[attr-defined]
            is_product = isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.MatMult)
            if is_product or name in FROM_A_MATRIX_LIBRARY:
                found.append((file.name, node.lineno))  # type: ignore[attr-defined]
    assert found == []


# what is stated in few digits --------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.05, 0.35, 0.8, 1.25, 2.95, 4.25])
def test_a_stated_factor_is_met_to_the_bit(ratio: float) -> None:
    """Half of the amounts times 4.25 end in .5 or .25: an ulp would decide how many cents they are."""
    effect = {"mean_ratio": ratio}
    drift = {"id": "d", "kind": "covariate", "effect": effect, "schedule": SCHEDULES[0]}
    scenario = load_scenario("baseline", {"clock.end": "2024-01-09", "drifts": [drift]})
    resolved = resolution.resolve(LenderDrift, scenario)
    assert resolved.parameters({"d": 1.0})["amount"] == ratio
    assert resolved.drifts[0].parts[0].after == (ratio,)


@pytest.mark.parametrize("factor", [0.35, 1.25, 4.25])
def test_an_ulp_of_a_factor_moves_no_atom_over_an_edge(factor: float) -> None:
    values = np.sort(np.random.default_rng(6).integers(500, 3000, 4000) / 100)
    at = np.unique(values) * factor
    expected = np.searchsorted(values, np.unique(values), "right") / len(values)
    for near in (np.nextafter(factor, 0), factor, np.nextafter(factor, 9)):
        assert np.array_equal(distances.factor_cdf(values, [(float(near), 1.0)], (), at), expected)


@pytest.mark.parametrize(
    "measure", [distances.psi, distances.ks, distances.hellinger, distances.total_variation]
)
def test_shares_an_ulp_apart_are_no_distance_apart(measure: Callable[..., float]) -> None:
    shares = np.random.default_rng(7).dirichlet(np.ones(10), 50)
    for p in shares:
        q = np.nextafter(p, np.random.default_rng(8).choice([0.0, 1.0], len(p)))
        assert measure(q, p) == pytest.approx(0, abs=1e-14)


# every input an ulp off --------------------------------------------------------------------------------

SHAKEN = {np.exp: "exp", np.log: "log", np.log1p: "log1p", np.expm1: "expm1", np.cos: "cos"}
SHAKEN_SCALARS = (math.exp, math.log, math.cos, math.expm1)


def forget() -> None:
    for remembered in (
        reference_population._drawn,
        reference_population._solved,
        credit._frailty_mean,
        resolution.resolve,
    ):
        remembered.cache_clear()


@pytest.fixture
def shake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Makes every transcendental function that a generator calls an ulp too large or too small, by chance."""

    def off_by_an_ulp(function: Callable[..., Any], random: np.random.Generator) -> Callable[..., Any]:
        def found(*args: Any) -> Any:
            exact = np.asarray(function(*args), float)
            return np.nextafter(exact, np.where(random.random(exact.shape) < 0.5, -np.inf, np.inf))

        return found

    def start(seed: int) -> None:
        monkeypatch.undo()
        forget()
        random = np.random.default_rng(seed)
        for function, name in SHAKEN.items():
            monkeypatch.setattr(np, name, off_by_an_ulp(function, random))
        for module in [m for name, m in sys.modules.items() if name.startswith("simtom_pipeline.generators")]:
            for name, value in vars(module).copy().items():
                if isinstance(value, np.ufunc) or (inspect.isbuiltin(value) and value in SHAKEN_SCALARS):
                    monkeypatch.setattr(module, name, off_by_an_ulp(value, random))

    yield start
    monkeypatch.undo()
    forget()


def test_no_solved_parameter_moves_when_all_that_it_is_solved_from_is_an_ulp_off(
    shake: Callable[[int], None],
) -> None:
    scenario = drifting()
    forget()
    expected = solved(scenario)
    for seed in (1, 2):
        shake(seed)
        assert solved(scenario) == expected


# processes ---------------------------------------------------------------------------------------------

PRINT = """
import pickle, sys
from datetime import date
from simtom_pipeline.simulation import make_generator
from tests.unit.generators.test_exact import DAYS, drifting, measured, solved
scenario = drifting()
generator, days = make_generator(scenario), [date.fromisoformat(day) for day in DAYS]
found = {
    "solved": solved(scenario),
    "measured": measured(),
    "tables": [generator.true_day(day) for day in days],
    "intended": [vars(generator.intended(part, day)) for part in generator.ledger_parts() for day in days],
    "profile": [dict(generator.profile_expected(day)) for day in days],
}
with open(sys.argv[1], "wb") as file:
    pickle.dump(found, file)
"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Found = dict[str, Any]


def narrow() -> dict[str, str]:
    """Environment in which NumPy and BLAS use the shortest vectors they know; empty if they do anyway."""
    features = [name for name in numpy_core.__cpu_dispatch__ if numpy_core.__cpu_features__.get(name)]
    oldest = {"OPENBLAS_CORETYPE": "Prescott"} if platform.machine() in ("x86_64", "AMD64") else {}
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(features), **oldest} if features else {}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """What processes find that differ in threads and vectors; all run at once."""
    folder = tmp_path_factory.mktemp("processes")
    settings = {"one": {}, "two": {}, "narrow": narrow()}
    running = {}
    for name, extra in settings.items():
        threads = dict.fromkeys(THREADS, "2" if name == "two" else "1")
        environment = {**os.environ, **threads, **extra, "SIMTOM_HOME": str(folder)}
        command = [sys.executable, "-c", PRINT, str(folder / name)]
        running[name] = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    for process in running.values():
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    return {name: pickle.loads((folder / name).read_bytes()) for name in settings}


def test_the_number_of_threads_moves_no_bit(processes: dict[str, Found]) -> None:
    one, two = processes["one"], processes["two"]
    for name in ("solved", "measured", "intended", "profile"):
        assert repr(one[name]) == repr(two[name]), name
    for day, same_day in zip(one["tables"], two["tables"], strict=True):
        for name in day:
            assert day[name].equals(same_day[name]), name


@pytest.mark.skipif(not narrow(), reason="this processor has no longer vectors than NumPy's baseline")
def test_the_length_of_vectors_moves_floats_by_a_hair_and_nothing_else(processes: dict[str, Found]) -> None:
    wide, short = processes["one"], processes["narrow"]
    assert repr(wide["solved"]) == repr(short["solved"])
    for name in ("intended", "profile"):
        for figures, others in zip(wide[name], short[name], strict=True):
            assert list(figures) == list(others)
            for figure, other in zip(figures.values(), others.values(), strict=True):
                assert np.allclose(*(np.array(side, float) for side in (figure, other)), 1e-12, 1e-12, True)
    for day, same_day in zip(wide["tables"], short["tables"], strict=True):
        for name, table in day.items():
            for column in table.column_names:
                assert_same(table[column], same_day[name][column], f"{name}.{column}")


def assert_same(one: pa.ChunkedArray, other: pa.ChunkedArray, name: str) -> None:
    if pa.types.is_floating(one.type):
        np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-12, atol=1e-12, err_msg=name)
    else:
        assert one.equals(other), name


def test_the_drifting_scenario_has_days_on_which_every_drift_acts() -> None:
    generator: Any = make_generator(drifting())
    assert all(0 < drift.curve.weight(date.fromisoformat(DAYS[1])) <= 1 for drift in generator.drifts)
