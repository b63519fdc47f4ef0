"""`rematch simulate-year`: what a year of the loop brings on a network with known truth, against the usual way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows.commands.screen import console, say, show_table, t

if TYPE_CHECKING:
    import pandas as pd

LOOPS = ("naive", "rematch")
HEADS = ("loop", "gain_last", "times", "right", "worked", "estimate", "covered", "false")


def simulate(networks: int, dealers: int, seed: int, *, explore: bool, out: Path | None) -> None:
    """Simulate ``networks`` years from ``seed`` on and print the means; every network as a row of ``out`` (CSV)."""
    import pandas as pd  # noqa: PLC0415

    from tasks.compute.simulation_year.world import Setting  # noqa: PLC0415
    from tasks.compute.simulation_year.year import simulate_year, summary  # noqa: PLC0415

    loops = (*LOOPS, "rematch_exploring") if explore else LOOPS
    setting, years = Setting(dealers=dealers), []
    for number in range(seed, seed + networks):
        years.append(simulate_year(setting, [number], loops))
        if console().is_terminal:
            say("simulate_year.progress", done=len(years), networks=networks)
    year = pd.concat(years, ignore_index=True)
    title = t("simulate_year.title", networks=networks, dealers=dealers)
    show_table(title, [t(f"simulate_year.head.{name}") for name in HEADS], _rows(year, summary(year)))
    say("simulate_year.note")
    if out is not None:
        from tasks.exporting import write_export  # noqa: PLC0415

        write_export(year, out)
        say("export.done", rows=len(year), out=out)


def _rows(year: pd.DataFrame, table: pd.DataFrame) -> list[list[str]]:
    rows = [[t("simulate_year.loop.none"), "0.00", *["–"] * (len(HEADS) - 2)]]
    claimed = (year["estimate"] / year["truth"].where(year["truth"] > 0)).groupby(year["loop"]).median()
    for row in table.to_dict("records"):
        loop = str(row["loop"])
        rows.append(
            [
                t(f"simulate_year.loop.{loop}"),
                f"{row['gain_last']:.2f}",
                f"{row['times_naive']:.1f}",
                _share(row["right"]),
                _share(row["worked"]),
                f"{claimed[loop]:.2f}",
                _share(row["covered"]),
                _share(row["false_effective"]),
            ]
        )
    return rows


def _share(value: float) -> str:
    return "–" if value != value else f"{100 * value:.0f}%"  # noqa: PLR0124  NaN differs from itself
