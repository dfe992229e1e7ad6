"""Scenarios that cannot be used, as assets that say what is wrong, and whose check fails."""

import re
from collections.abc import Iterator, Mapping

import dagster as dg

GROUP = "broken_scenarios"


def broken_definitions(broken: Mapping[str, str]) -> dg.Definitions:
    """An asset for each scenario that cannot be used, by name, given what is wrong with it.

    Nothing materializes it; its check fails, with the message, until the file is mended and reloaded.
    """
    keys = {name: _key(name, number) for number, name in enumerate(broken)}
    return dg.Definitions(
        assets=[
            dg.AssetSpec(
                key,
                group_name=GROUP,
                kinds={"yaml"},
                description=f"The scenario cannot be used:\n\n```\n{broken[name]}\n```",
            )
            for name, key in keys.items()
        ],
        asset_checks=[
            _check(number, keys[name], problems) for number, (name, problems) in enumerate(broken.items())
        ],
    )


def _key(name: str, number: int) -> dg.AssetKey:
    """A file may be called anything; one that Dagster cannot name gets a number, so that no two are one."""
    told = re.sub("[^A-Za-z0-9_]", "_", name)
    return dg.AssetKey([GROUP, told if told == name else f"{told}_{number}"])


def _check(number: int, key: dg.AssetKey, problems: str) -> dg.AssetChecksDefinition:
    spec = dg.AssetCheckSpec("can_be_used", asset=key, description="The scenario can be used.")

    @dg.multi_asset_check(name=f"broken_scenario_{number}", specs=[spec])
    def can_be_used() -> Iterator[dg.AssetCheckResult]:
        yield dg.AssetCheckResult(passed=False, asset_key=key, check_name="can_be_used", description=problems)

    return can_be_used
