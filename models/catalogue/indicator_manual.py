"""The manual of the indicators, written from their declarations (docs/indicators.md)."""

from __future__ import annotations

from collections.abc import Iterator

from models.catalogue.filter_rules import filter_rules
from models.catalogue.indicators import Better, Group, Indicator, IndicatorStandard, indicators
from models.messages import messages, text

_INTRODUCTION = """\
# Indicators

Written from `indicators.toml` and `filter_rules.toml` in `models/catalogue/`; a test compares the two. To regenerate:
`python -m models.catalogue.indicators > docs/indicators.md`.

Every indicator is a numerator over a denominator, both sums over leads: sums of dealers, months or shards add up, rates
come last. A value whose denominator is 0 is empty. Where the data hold nothing of a kind (no visit
times, no revisits), the indicators about it are empty, never zero.

## Which leads a month holds

- **closing**: leads closed in the month: won by `ordered_at`, defeated by their last filing. Reopened leads are open.
- **created**: leads created in the month, whatever became of them so far. Recent months are immature.
- **month_end**: leads open at the end of the month (at `as_of` while the month still runs).
- **filed**: leads first filed as defeated in the month. Recent months are immature.
- **loop**: no leads but plans and measures of earlier cycles, for nation, region and dealer: in the month their
  deadline passed, or their verdict was given. Plans withdrawn, or carried out in the dealer's own system, had nothing
  to file.

Immature months are projected in the results `cohorts`, `cohort_ages` and `maturity` (docs/architecture.md).

Duplicates, invalid contacts and test or fake leads, by the reason used, are in no numerator and no denominator; they
are counted apart in the `reasons` table. The reason used is the confirmed one; else the one the filing's text clearly
points to, when the declared one is missing, a bare price or a record code; else the declared one.

## Why defeat_rate_filtered keeps its denominator

The filter takes quasi and false defeats out of the numerator: they do not count as lost. They stay in the denominator,
which is that of the rate as filed. So

1. filed minus filtered is exactly the share of closed leads that the filter changed, in a quasi and a false part;
2. both rates are over the same leads, in every scope and month;
3. a dealer cannot shrink its base by filing wrongly: its quasi and false shares show beside the rate.

The close rate stays as recorded: a false defeat proved by a sale is seen in `false_defeat_share`, not added to the won.

## Details that decide figures

- Days are 24-hour days between two times; where one is a bare date (midnight), calendar days are counted.
- `visit_to_test_drive` counts drives of leads that visited; a test drive without a visit is not in it.
- `test_drive_to_order` counts orders, also those cancelled later; `close_rate` counts leads that are won.
- A first contact before the lead's creation counts as 0 hours. A lead never contacted is not "within 1 hour".
- Shares of destination are over defeats that are not false (a false defeat went nowhere), so the four add up to 1.
- `revisit_coverage` and the other figures of revisits use calls known at `as_of`; a call belongs to the last filing
  before it.
- Silent leads of a past month are judged by the last contact known at `as_of`: contacted later means not silent.
"""

_TWINS = """\
Dealers and measures are judged from counts. A mean of hours, days or contacts is shown, but a few extreme cases decide
it and its sums do not say how far cases spread: in its place the share of cases within a limit is judged.
"""


def manual(standard: IndicatorStandard | None = None) -> str:
    """The whole manual as Markdown."""
    known = indicators() if standard is None else standard
    lines = [_INTRODUCTION, *_limits()]
    for group in Group:
        members = [indicator for indicator in known.indicators.values() if indicator.group is group]
        lines += [f"\n## {text(f'indicators.group.{group}', 'en')} {text(f'indicators.group.{group}')}\n"]
        lines += list(_table(members, known))
    lines += ["\n## Judged by a share in their place\n", _TWINS, "| indicator | judged by |", "|---|---|"]
    for one in known.indicators.values():
        if one.summed and known.judged(one.code) != one.code and one.better is not Better.NONE:
            lines.append(f"| `{one.code}` | {f'`{one.judged_as}`' if one.judged_as else 'not judged'} |")
    lines += ["\n## The defeat filter\n", "The first rule that holds decides; premature and limits are as above.\n"]
    lines += ["| rule | verdict | destination | evidence |", "|---|---|---|---|", *_precedence()]
    lines += ["\n## Not yet computed\n", "| code | needs |", "|---|---|"]
    lines += [f"| `{one.code}` | {one.needs.text('en')} |" for one in known.not_yet_computed() if one.needs]
    return "\n".join(lines) + "\n"


def _limits() -> Iterator[str]:
    limits, rules = filter_rules().limits, filter_rules()
    yield f"- Premature: at most {rules.premature.max_contacts} contact and under {rules.premature.min_days:g} days."
    yield from (f"- `{name}`: {value:g}" for name, value in limits)


def _precedence() -> Iterator[str]:
    for decision in filter_rules().precedence:
        sentence = messages()[f"filter.rule.{decision.rule}"]["en"]
        destination = decision.destination or "none"
        kept = f" ({', '.join(decision.keeps)} if declared)" if decision.keeps else ""
        yield f"| `{decision.rule}` | {decision.verdict} | {destination}{kept} | {sentence} |"


def _table(members: list[Indicator], known: IndicatorStandard) -> Iterator[str]:
    yield "| code | name | what it is | numerator / denominator | base | unit | better | owner | minimum |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in members:
        sums = f"in table `{one.table}`"
        if one.numerator:
            sums = f"{known.facts[one.numerator].en} / {known.facts[one.denominator].en}"
        elif not one.computed:
            sums = "not yet computed"
        unit = text(f"indicators.unit.{one.unit}", "en")
        yield (
            f"| `{one.code}` | {one.label.en} {one.label.zh_CN} | {one.definition.en} {one.definition.zh_CN} | {sums} "
            f"| {one.base} | {unit} | {one.better} | {one.owner} | {one.minimum} |"
        )
