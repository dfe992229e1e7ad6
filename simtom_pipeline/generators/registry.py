"""Which generators there are: registered by decorator, found in three places.

1. modules and packages of this folder; 2. `$SIMTOM_HOME/generators/*.py`; 3. the entry-point group
`simtom_pipeline.generators`. One that fails to import is kept by name with its error.
"""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from zlib import crc32

from ..scenarios.base import IDENTIFIER, GeneratorSettings, valid_name
from .base import BaseGenerator

ENTRY_POINT_GROUP = "simtom_pipeline.generators"
HOME_MODULES = "simtom_home_generators_"


class DuplicateGeneratorError(ValueError):
    """Two generators have one name."""


@dataclass
class Registry:
    """The generators found, and those that could not be imported with the reason."""

    generators: dict[str, type[BaseGenerator]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def settings_model(self, name: str) -> type[GeneratorSettings]:
        """The model of a generator's own section.

        Raises
        ------
        LookupError : there is no such generator; the message says which there are.
        """
        return self.generator(name).settings_model

    def generator(self, name: str) -> type[BaseGenerator]:
        """The generator called `name`; LookupError as above."""
        if name in self.generators:
            return self.generators[name]
        failed = "".join(f"; {source} failed to import: {why}" for source, why in self.failures.items())
        raise LookupError(f"one of {', '.join(sorted(self.generators))}{failed}")


_registered: list[type[BaseGenerator]] = []


def register_generator(name: str) -> Callable[[type[BaseGenerator]], type[BaseGenerator]]:
    """Class decorator: this is the generator that a scenario calls `name`.

    Raises
    ------
    ValueError : `name` is not an identifier, or the class is no BaseGenerator.
    """
    if not valid_name(name):
        raise ValueError(f"generator name {name!r} does not match {IDENTIFIER}")

    def register(generator: type[BaseGenerator]) -> type[BaseGenerator]:
        if not issubclass(generator, BaseGenerator):
            raise ValueError(
                f"generator {name!r}: {generator.__qualname__} does not inherit from BaseGenerator"
            )
        generator.name = name
        _registered.append(generator)
        return generator

    return register


def discover(home: Path) -> Registry:
    """Import every generator, once a home, and list them.

    Raises
    ------
    DuplicateGeneratorError : two of them have one name.
    """
    registry = Registry(failures=dict(_import_all(home)))
    for generator in dict.fromkeys(_registered):
        module = generator.__module__
        if not module.startswith(HOME_MODULES) or module.startswith(_home_package(home)):
            _add(registry, generator)
    return registry


@cache
def _import_all(home: Path) -> dict[str, str]:
    """Import every candidate; what failed, by name, with its error."""
    failures: dict[str, str] = {}
    for source, load in _candidates(home):
        with _reported(failures, source):
            load()
    return failures


def _add(registry: Registry, generator: type[BaseGenerator]) -> None:
    other = registry.generators.setdefault(generator.name, generator)
    if other is not generator:
        raise DuplicateGeneratorError(
            f"two generators are called {generator.name!r}:"
            f" {_where(other)} and {_where(generator)}; rename one"
        )


def _where(generator: type[BaseGenerator]) -> str:
    file = getattr(sys.modules.get(generator.__module__), "__file__", None)
    return f"{generator.__qualname__} in {file or generator.__module__}"


def _candidates(home: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    package = importlib.import_module(__package__ or "")
    for module in pkgutil.iter_modules(package.__path__):
        name = f"{package.__name__}.{module.name}"
        yield name, lambda name=name: importlib.import_module(name)  # type: ignore[misc]
    for path in sorted((home / "generators").glob("*.py")):
        yield str(path), lambda path=path: _import_file(path, home)  # type: ignore[misc]
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        yield f"entry point {entry_point.name} ({entry_point.value})", entry_point.load


def _home_package(home: Path) -> str:
    return f"{HOME_MODULES}{crc32(str(home).encode()):08x}"


def _import_file(path: Path, home: Path) -> None:
    name = f"{_home_package(home)}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


@contextmanager
def _reported(failures: dict[str, str], source: str) -> Iterator[None]:
    """A plugin may fail in any way at all; that is its author's to see, and no other generator's end."""
    before = len(_registered)
    try:
        yield
    except Exception as error:
        del _registered[before:]
        failures[source] = f"{type(error).__name__}: {error}"
