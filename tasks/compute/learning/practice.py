"""Good practice: what worked at whom, named to other dealers only with the dealer's consent (domain.md section 10)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from models.enums import Consent, EffectVerdict

PRACTICE_COLUMNS = [
    "reason",
    "measure",
    "indicator",
    "plan_id",
    "measure_id",
    "dealer_id",
    "months",
    "shrunk_points",
    "lo90",
    "hi90",
    "consent",
    "named",
]


def practices(looks: pd.DataFrame, consents: Mapping[str, Consent]) -> pd.DataFrame:
    """The measures called effective at a dealer, PRACTICE_COLUMNS, the surest (largest lo90) of each measure first.

    ``looks``: rows of ``verify`` of all cycles; ``consents``: by plan, missing = not asked. ``named``: the dealer may
    be named to others. What was carried out in part only is no practice to copy.
    """
    effective = looks["verdict"].eq(EffectVerdict.EFFECTIVE.value)
    if "execution" in looks:
        effective &= looks["execution"].ne("partly").fillna(True)
    found = looks[effective].sort_values("months", kind="stable").drop_duplicates("measure_id", keep="last")
    consent = [consents.get(str(plan), Consent.NOT_ASKED) for plan in found["plan_id"]]
    found = found.assign(
        consent=pd.Series([one.value for one in consent], index=found.index, dtype="str"),
        named=pd.Series([one is Consent.GIVEN for one in consent], index=found.index, dtype="bool"),
    )
    found = found.sort_values(["reason", "measure", "lo90"], ascending=[True, True, False], kind="stable")
    return found.reindex(columns=PRACTICE_COLUMNS).reset_index(drop=True)


def practice_note(table: pd.DataFrame, reason: str, measure: str, reader: str) -> Mapping[str, object]:
    """What a plan may say to the dealer ``reader`` of where a measure worked: what
    ``reports.verdicts.practice_sentence`` needs.

    Empty when it worked at no other dealer. A dealer that consented comes before surer ones that did not; a dealer
    that did not is counted, never named.
    """
    rows = table[table["reason"].eq(reason) & table["measure"].eq(measure) & table["dealer_id"].ne(reader)]
    if rows.empty:
        return {}
    best = rows.sort_values("named", ascending=False, kind="stable").iloc[0]
    return {
        "dealers": int(rows["dealer_id"].nunique()),
        "dealer_id": str(best["dealer_id"]) if best["named"] else "",
        "effect": float(best["shrunk_points"]),
    }
