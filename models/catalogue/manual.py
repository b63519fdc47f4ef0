"""The manual of the standards, written from the data.

``python -m models.catalogue.manual > docs/catalogue.md`` regenerates it; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from models.catalogue.competitors import Competitor, competitors
from models.catalogue.playbook import Measure, Playbook, playbook
from models.catalogue.reasons import Reason, catalogue
from models.enums import OwnerRole

_INTRODUCTION = """\
# Reasons and measures 战败原因与整改措施

Written from `models/catalogue/reasons.toml`, `playbook/*.toml` and `competitors.toml` beside it by
`python -m models.catalogue.manual`; change the data, not this page.

An OEM keeps its own `reasons.toml` and `playbook/*.toml` in its [standards folder](standards.md): entries of the same
code are merged key by key over the shipped ones, new entries are added, and every error names file, entry and remedy.
Numbers inside the steps of a measure (minutes, times a week) are a trainer's proposals, not findings: an OEM sets its
own.
"""


def manual() -> str:
    """The whole page as Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    book, known = playbook(), catalogue()
    yield _INTRODUCTION
    yield "## Reasons\n"
    yield "`*` leaves numerator and denominator of rates and is counted apart. The first owner leads.\n"
    for level1 in (reason for reason in known.values() if reason.level == 1):
        yield f"### {level1.label.zh_CN} · {level1.label.en}\n"
        yield f"{level1.definition.zh_CN} · {level1.definition.en}\n"
        members = [one for one in known.values() if one.level == 2 and one.level1 == level1.code]
        yield from _table(
            ("code", "原因", "reason", "owners", "means", "goes to"), (_reason(one, book) for one in members)
        )
    yield "## Measures\n"
    for reason in known.values():
        if book.scheme(reason.code):
            yield f"### {reason.label.zh_CN} · {reason.label.en} (`{reason.code}`)\n"
            yield from _table(
                (
                    "code",
                    "措施",
                    "measure",
                    "owner",
                    "judged by",
                    "done shows in",
                    "due, days",
                    "shows after, months",
                    "effort / cost",
                ),
                (_measure_row(book, code) for code in (one.code for one in book.scheme(reason.code))),
            )
    yield from _findings(book)
    yield from _cards(book)
    yield "## Competitors\n"
    yield "Own series, what it is lost to, and what customers compare; prices are the OEM's to enter, with their day.\n"
    rows = (_competitor(one) for one in competitors().competitors.values())
    yield from _table(("own series", "competitor", "strong", "weak", "price, CNY"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def _reason(reason: Reason, book: Playbook) -> tuple[str, ...]:
    if reason.dealer_fixable:
        goes_to = "dealer's plan"
    else:
        name = book.oem_list(reason.code)
        goes_to = book.oem_lists[name].title.en if name else "tracked in the customer pools"
    star = " *" if reason.excluded else ""
    owners = ", ".join(owner.value for owner in reason.owners)
    means = f"{reason.definition.zh_CN} · {reason.definition.en}"
    return f"`{reason.code}`{star}", reason.label.zh_CN, reason.label.en, owners, means, goes_to


def _measure_row(book: Playbook, code: str) -> tuple[object, ...]:
    one = book.measures[code]
    return (
        f"`{code}`",
        one.title.zh_CN,
        one.title.en,
        one.owner_role.value,
        f"`{one.indicator}`",
        _process(one),
        one.due_days,
        one.horizon_months,
        f"{one.effort} / {one.cost}",
    )


def _process(one: Measure) -> str:
    if one.process is None:
        return ""
    sign = "+" if one.process.direction == "higher" else "−"
    return f"`{one.process.indicator}` {sign}{one.process.points:g}"


def _findings(book: Playbook) -> Iterator[str]:
    yield "## Which scheme a finding calls for\n"
    rows = (
        (f"`{name}`", f"`{entry.reason}`", entry.stake.value, ", ".join(f"`{code}`" for code in entry.explained_by))
        for name, entry in book.indicator_schemes.items()
    )
    yield from _table(("indicator", "scheme of", "deals counted as", "contains the deals lost by"), rows)
    yield "## What goes to the OEM\n"
    lists = (
        (f"`{name}`", entry.title.zh_CN, entry.title.en, OwnerRole(entry.owner_role).value, entry.use.en)
        for name, entry in book.oem_lists.items()
    )
    yield from _table(("list", "清单", "title", "owner", "what for"), lists)


def _cards(book: Playbook) -> Iterator[str]:
    yield "## Argument cards\n"
    yield "Told from the fact to the view, designed from the view to the fact.\n"
    for code, card in book.argument_cards.items():
        special = " ".join(part for part in (card.competitor, card.series) if part)
        asked = f", against {special}" if special else ""
        yield f"**{card.title.zh_CN} · {card.title.en}** (`{code}`, for `{card.concern_code}`{asked})\n"
        for number, (name, step) in enumerate(
            (("事实阐述", card.fact), ("问题关注", card.concern), ("观点导入", card.view)), 1
        ):
            yield f"{number}. {name}：{step.zh_CN} · {step.en}"
        yield ""


def _competitor(one: Competitor) -> tuple[str, ...]:
    said = ("; ".join(f"{phrase.zh_CN} · {phrase.en}" for phrase in part) for part in (one.strong, one.weak))
    price = "" if one.price_from is None else f"{one.price_from:,.0f}–{one.price_to:,.0f} ({one.as_of}, {one.source})"
    return one.against, f"{one.brand} {one.series}".strip(), *said, price


if __name__ == "__main__":
    print(manual(), end="")
