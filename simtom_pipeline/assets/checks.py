"""Checks of a scenario, made from its contracts and declarations: one Dagster check a claim.

Each looks at everything that has landed, not only at the run's days, so that its bound over all days
holds. How a claim is decided is `validation`'s; what is asked of the database stands in `questions`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from .. import landing
from ..contracts import Claim, DeclaredOutcome, DeclaredShares, TableContract
from ..generators.base import BaseGenerator
from ..record_tables import RUNS
from ..scenarios.models import Scenario
from ..simulation import make_generator, world
from ..validation.decisions import (
    Finding,
    Verdict,
    exactness,
    holm,
    logical,
    worst,
)
from ..validation.shares import compare_shares
from . import questions as ask
from .attempts import Work, attempted
from .check_results import check_result
from .content_checks import CONTENT, ONE_WORLD, Content, landed_content, not_of_this_world, one_world
from .drift_checks import OF_DRIFT, Ledger
from .fault_checks import OF_SPOILT
from .landed import Landed
from .outcome_checks import OF_THE_OUTCOME, OF_THE_TRUTH, OUTCOME_CHECKS, Outcomes
from .partitions import asset_key
from .spoilt import Spoilt
from .undone import undone
from .view_checks import views_know_no_more, views_to_check
from .volume_checks import daily_volume, hour_of_day

Opened = Callable[[DuckDBResource], AbstractContextManager[duckdb.DuckDBPyConnection]]

Findings = Iterator[tuple[str, str, Finding]]
Works = Iterator[tuple[str, str, Work]]
"""Table, check, and what it takes to find out."""


def primary_key(landed: Landed, contract: TableContract) -> Finding:
    """No two rows have the same key."""
    violations = ask.key_violations(landed.connection, landed.scenario.name, contract)
    return logical(violations, f"{', '.join(contract.primary_key)} identifies a row")


def day_boundaries(landed: Landed, contract: TableContract) -> Finding:
    """Every row is dated within its day, every day within the clock."""
    bad_days = ask.boundary_violations(landed.connection, landed.scenario, contract)
    violations = sum(int(row["rows"]) for row in bad_days)
    return logical(violations, f"{contract.dated_by} lies within day", bad_days)


def temporal_integrity(landed: Landed, contract: TableContract) -> Finding:
    """What a row points to exists, and existed at the time."""
    complete = ask.complete_until(landed.scenario, landed.days)
    wrong, unknown = 0, 0
    for key in contract.foreign_keys:
        parent = landed.contracts[key.parent]
        found = ask.reference_violations(
            landed.connection, landed.scenario.name, contract, key, parent, complete
        )
        wrong, unknown = wrong + found[0], unknown + found[1]
    finding = logical(wrong, "every reference exists and is not younger than the row")
    if finding.verdict is Verdict.FAILED or unknown == 0:
        return finding
    start = landed.scenario.clock.start
    return Finding(
        Verdict.INCONCLUSIVE,
        f"{unknown} references point to rows of days that have not landed: land every day from {start} on",
        {"violations": 0, "not_yet_verifiable": unknown},
    )


def declared_shares(landed: Landed, declarations: Sequence[DeclaredShares]) -> dict[str, Finding]:
    """Finding by table; the family over which Holm's bound holds is every declaration of the scenario."""
    tolerances, name = landed.scenario.checks, landed.scenario.name
    tests = [
        compare_shares(
            ask.counts_per_value(landed.connection, name, landed.contracts[d.table], d),
            _expected_shares(landed, d),
        )
        for d in declarations
    ]
    adjusted = holm([test.p_value for test in tests])
    findings = {}
    for table in dict.fromkeys(d.table for d in declarations):
        own = [n for n, d in enumerate(declarations) if d.table == table]
        verdicts = [
            Verdict.FAILED
            if tests[n].impossible
            else exactness(adjusted[n], tests[n].total_variation, tolerances.share_tolerance, landed.alpha)
            for n in own
        ]
        rows = tuple(
            {
                "shares": declarations[n].label or declarations[n].expression,
                "n": tests[n].n,
                "total_variation": round(tests[n].total_variation, 6),
                "impossible": tests[n].impossible,
                "adjusted_p": float(adjusted[n]),
                "verdict": verdict.value,
            }
            for n, verdict in zip(own, verdicts, strict=True)
        )
        failed = sum(verdict is Verdict.FAILED for verdict in verdicts)
        figures = {"declared": len(own), "failed": failed, "tolerance": tolerances.share_tolerance}
        findings[table] = Finding(
            worst(verdicts), f"{failed} of {len(own)} declared shares are not met", figures, rows
        )
    return findings


def _expected_shares(landed: Landed, declared: DeclaredShares) -> Mapping[str, float]:
    """The declared shares; where they drift, those of the landed rows' days together."""
    if declared.drifting is None:
        return declared.shares
    contract = landed.contracts[declared.table]
    rows = ask.rows_per_day(landed.connection, landed.scenario.name, contract, declared.where)
    total = max(sum(rows.values()), 1)
    mixed: dict[str, float] = defaultdict(float)
    for day, count in rows.items():
        for value, share in declared.drifting(day).items():
            mixed[value] += share * count / total
    return mixed or declared.shares


def replay(landed: Landed) -> dict[str, Finding]:
    """Finding by table: a sample of landed days, simulated again, is the same rows."""
    sample = ask.spread_over(landed.days, landed.scenario.checks.replay_days)
    afresh = make_generator(landed.scenario)
    simulated = {contract.name: contract for contract in landed.generator.contracts(landed.scenario)}
    differing: dict[str, list[ask.Row]] = {name: [] for name in simulated}
    for day in sample:
        tables = afresh.simulate_day(day)
        for name, contract in simulated.items():
            count = ask.differing_rows(
                landed.connection,
                landed.scenario.name,
                contract,
                day if contract.daily else None,
                tables[name],
            ).rows
            if count:
                differing[name].append({"day": str(day), "rows": count})
    claim = f"{len(sample)} landed days, simulated again, are the same rows"
    return {
        name: logical(sum(int(row["rows"]) for row in rows), claim, rows) for name, rows in differing.items()
    }


PER_TABLE: dict[str, Callable[[Landed, TableContract], Finding]] = {
    "primary_key": primary_key,
    "day_boundaries": day_boundaries,
    "temporal_integrity": temporal_integrity,
    "daily_volume": daily_volume,
    "hour_of_day": hour_of_day,
}


def _applies(check: str, contract: TableContract, event_table: str) -> bool:
    return {
        "primary_key": True,
        "day_boundaries": contract.daily and contract.dated_by is not None,
        "temporal_integrity": bool(contract.foreign_keys),
        "daily_volume": contract.name == event_table,
        "hour_of_day": contract.name == event_table,
    }[check]


def _of_outcomes(landed: Landed) -> dict[tuple[str, str], Work]:
    """Checks of every declared outcome by (table, check)."""
    works: dict[tuple[str, str], Work] = {}
    events = landed.contracts[landed.generator.event_table]
    for declared in landed.expectations.declared_outcomes():
        outcomes = Outcomes(landed.scenario, declared, events, landed.connection, landed.alpha)
        for name, table in _outcome_checks(declared):
            works[table, name] = partial(OUTCOME_CHECKS[name], outcomes)
    return works


def _outcome_checks(declared: DeclaredOutcome) -> list[tuple[str, str]]:
    """Name and table of the checks of a declared outcome."""
    return [(name, declared.table) for name in OF_THE_OUTCOME] + [
        (name, declared.truth) for name in OF_THE_TRUTH
    ]


def _of_claims(landed: Landed) -> dict[tuple[str, str], Work]:
    """Checks of every claim by (table, check)."""

    def holds(claim: Claim) -> Finding:
        return logical(ask.violations(landed.connection, landed.scenario.name, claim), claim.meaning)

    return {(claim.table, claim.name): partial(holds, claim) for claim in landed.expectations.claims()}


def check_specs(scenario: Scenario, generator: type[BaseGenerator]) -> list[dg.AssetCheckSpec]:
    """Every check of a scenario, as Dagster is told of it."""
    declarations = make_generator(scenario)
    contracts = {contract.name: contract for contract in generator.landed_contracts(scenario)}
    described = [
        (name, contract.name, check.__doc__)
        for contract in contracts.values()
        for name, check in PER_TABLE.items()
        if _applies(name, contract, generator.event_table)
    ]
    described += [
        (name, contract.name, check.__doc__)
        for contract in generator.contracts(scenario)
        for name, check in (("replay", replay), (CONTENT, landed_content))
    ]
    described.append((ONE_WORLD, RUNS.name, one_world.__doc__))
    described += [(name, table, check.__doc__) for (table, name), check in OF_DRIFT.items()]
    described += [
        (name, table, check.__doc__)
        for (table, name), check in OF_SPOILT.items()
        if table in contracts and (check is not views_know_no_more or views_to_check(generator, scenario))
    ]
    described += [
        ("declared_shares", table, "Values occur as often as declared.")
        for table in dict.fromkeys(declared.table for declared in declarations.declared_shares())
    ]
    described += [(claim.name, claim.table, f"{claim.meaning}.") for claim in declarations.claims()]
    described += [
        (name, table, OUTCOME_CHECKS[name].__doc__)
        for declared in declarations.declared_outcomes()
        for name, table in _outcome_checks(declared)
    ]
    return [
        dg.AssetCheckSpec(name, asset=asset_key(scenario, contracts[table]), description=description)
        for name, table, description in described
    ]


def all_findings(landed: Landed, wanted: Collection[tuple[str, str]]) -> Findings:
    """Table, name and finding of every wanted (table, name)."""
    content = Content(landed.scenario, landed.expectations, landed.connection, world(landed.scenario))
    others = [one for one in wanted if one[1] not in (CONTENT, ONE_WORLD)]
    for table, name in sorted(set(wanted) - set(others)):
        check = landed_content if name == CONTENT else one_world
        yield table, name, attempted(partial(check, content, landed.contracts[table]))
    nothing = None if landed.days else Finding(Verdict.INCONCLUSIVE, "nothing has landed yet")
    if finding := nothing or not_of_this_world(content):
        yield from ((table, name, finding) for table, name in others)
        return
    ledger = Ledger(landed.scenario, landed.expectations, landed.connection, landed.days)
    of_rows = [one for one in others if _speaks_of_landed_rows(*one)]
    for table, name, work in _of_what_landed(landed, ledger, of_rows):
        yield table, name, attempted(work)
    with undone(landed.connection, landed.scenario, landed.generator):
        for table, name, work in _of_the_world(landed, ledger, [one for one in others if one not in of_rows]):
            yield table, name, attempted(work)


def _speaks_of_landed_rows(table: str, name: str) -> bool:
    """Whether a check looks at the rows as they landed; the others see them before noise and faults."""
    return name in ("replay", "measured_anew") or (table, name) in OF_SPOILT


def _of_what_landed(landed: Landed, ledger: Ledger, wanted: Collection[tuple[str, str]]) -> Works:
    same = cache(partial(replay, landed))
    spoilt = Spoilt(landed.scenario, landed.generator, landed.connection, landed.days, landed.alpha)
    for table, name in wanted:
        if name == "replay":
            yield table, name, partial(_of_table, same, table)
        elif (table, name) in OF_SPOILT:
            yield table, name, partial(OF_SPOILT[table, name], spoilt)
        else:
            yield table, name, partial(OF_DRIFT[table, name], ledger, landed.contracts[table])


def _of_the_world(landed: Landed, ledger: Ledger, wanted: Collection[tuple[str, str]]) -> Works:
    works = _of_claims(landed) | _of_outcomes(landed)
    shares = cache(partial(declared_shares, landed, landed.expectations.declared_shares()))
    for table, name in wanted:
        if name == "declared_shares":
            yield table, name, partial(_of_table, shares, table)
        elif (table, name) in OF_DRIFT:
            yield table, name, partial(OF_DRIFT[table, name], ledger, landed.contracts[table])
        elif name in PER_TABLE:
            yield table, name, partial(PER_TABLE[name], landed, landed.contracts[table])
        else:
            yield table, name, works[table, name]


def _of_table(together: Callable[[], Mapping[str, Finding]], table: str) -> Finding:
    """One table's finding of a check that looks at all tables together."""
    return together()[table]


def build_checks(
    scenario: Scenario, generator: type[BaseGenerator], opened: Opened, pool: str | None
) -> dg.AssetChecksDefinition:
    """All checks of a scenario in one step that opens the database once."""
    specs = check_specs(scenario, generator)
    keys = {contract.name: asset_key(scenario, contract) for contract in generator.landed_contracts(scenario)}

    @dg.multi_asset_check(name=f"{scenario.name}_checks", specs=specs, can_subset=True, pool=pool)
    def checks(
        context: dg.AssetCheckExecutionContext, database: DuckDBResource
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = sorted((key.asset_key.path[-1], key.name) for key in context.selected_asset_check_keys)
        with opened(database) as connection:
            landing.ensure_tables(
                connection,
                scenario.name,
                generator.landed_contracts(scenario),
                generator.landed_views(scenario),
            )
            landed = Landed(scenario, generator, connection)
            for table, name, finding in all_findings(landed, wanted):
                yield check_result(keys[table], name, finding)

    return checks
