"""Were fewer customers lost, or were they filed under another reason? (verification.md, standing checks)

A measure on one reason is judged by defeats for it per lead. Filing the same defeats under another reason, or under
none, moves that figure without keeping a single customer. So the same forecast is made for what is left: defeats for
all other reasons together, and for every other code alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from models.catalogue.doubts import Recoding, doubts
from models.enums import EffectVerdict
from tasks.compute.judgement.verify import verify

NOTE = "judge.note.recoded"
WHY = "judge.why.recoded"
UNCLEAR = "unclear"  # defeats without a reason, or with one that names its level only
EXCLUDED = "excluded"  # filed as duplicate, invalid or test: such leads leave the rates altogether
KEYS = ["dealer_id", "region_id", "month", "cell"]
_LOOK = ["measure_id", "months"]


def other_codes(
    closings: pd.DataFrame, reasons: Mapping[str, pd.DataFrame], excluded: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """All defeats, and defeats by code: frames of KEYS, n (closed leads), x.

    ``closings``: KEYS, n, x (won); ``reasons``: per code KEYS, x; ``excluded``: KEYS, x of filings that leave the
    rates. Besides the codes given there are UNCLEAR, what is left of all defeats, and EXCLUDED. All defeats and
    EXCLUDED hold the leads that left the rates, so that defeats do not vanish by being filed as duplicates.
    """
    whole = closings.groupby(KEYS, as_index=False, observed=True)[["n", "x"]].sum()
    whole = whole.assign(x=whole["n"] - whole["x"])
    cases = {code: _onto(whole, frame) for code, frame in reasons.items()}
    named = sum(cases.values(), pd.Series(0, index=whole.index))
    codes = {code: whole.assign(x=x) for code, x in cases.items()}
    codes[UNCLEAR] = whole.assign(x=(whole["x"] - named).clip(lower=0))
    if excluded is not None and len(excluded):
        out = _onto(whole, excluded)
        codes[EXCLUDED] = whole.assign(n=whole["n"] + out, x=out)
        whole = whole.assign(n=whole["n"] + out, x=whole["x"] + out)
    return whole, codes


def _onto(whole: pd.DataFrame, frame: pd.DataFrame) -> pd.Series[int]:
    """The events of ``frame`` in the rows of ``whole``."""
    added = frame.groupby(KEYS, observed=True)["x"].sum()
    return pd.Series(added.reindex(pd.MultiIndex.from_frame(whole[KEYS])).fillna(0).to_numpy(int), index=whole.index)


def against_recoding(
    looks: pd.DataFrame,
    plans: pd.DataFrame,
    code: str,
    defeats: pd.DataFrame,
    codes: Mapping[str, pd.DataFrame],
    *,
    months: Sequence[int] = (3, 6),
    limits: Recoding | None = None,
) -> pd.DataFrame:
    """The looks at measures on defeats for ``code``, "effective" only where defeats were not filed otherwise.

    ``looks``, ``plans``: what ``verify`` gave and took; ``defeats``, ``codes``: of ``other_codes``. Adds rest_points
    and rest_se_points: the effect on defeats for all other reasons per lead (points, positive = fewer; its own standard
    error). Where they rose by the limit's share of what ``code`` fell, or one other code surely did, an "effective"
    becomes not enough evidence, with reason and note. Looks at codes that are exempt come back as they are.
    """
    limits = limits or doubts().recoding
    if looks.empty or code in limits.exempt or code not in codes:
        return looks
    rest = defeats.assign(x=(defeats["x"] - codes[code]["x"]).clip(lower=0))
    found = _effects(rest, plans, months)[["effect_points", "own_se_points"]]
    at = pd.MultiIndex.from_frame(looks[_LOOK])
    looks = looks.assign(
        rest_points=found["effect_points"].reindex(at).to_numpy(),
        rest_se_points=found["own_se_points"].reindex(at).to_numpy(),
    )
    effective = looks["verdict"].eq(EffectVerdict.EFFECTIVE.value)
    if not effective.any():
        return looks
    moved = -looks["rest_points"] >= limits.share * looks["effect_points"]
    moved |= _one_code(looks, plans, {name: one for name, one in codes.items() if name != code}, months, limits)
    return _withheld(looks, effective & moved)


def _one_code(
    looks: pd.DataFrame,
    plans: pd.DataFrame,
    others: Mapping[str, pd.DataFrame],
    months: Sequence[int],
    limits: Recoding,
) -> pd.Series[bool]:
    """Whether one other code surely rose by much of what the judged one fell; p over all codes (Bonferroni)."""
    suspects = set(looks.loc[looks["verdict"].eq(EffectVerdict.EFFECTIVE.value), "dealer_id"])
    at = pd.MultiIndex.from_frame(looks[_LOOK])
    surely = pd.Series(False, index=looks.index)
    tried = {name: one for name, one in others.items() if one.loc[one["dealer_id"].isin(suspects), "x"].any()}
    for counts in tried.values():
        found = _effects(counts, plans, months).reindex(at)
        rise = -found["effect_points"].to_numpy(float)
        surely |= (rise >= limits.code_share * looks["effect_points"].to_numpy(float)) & (
            found["p_down"].to_numpy(float) * len(tried) <= limits.p
        )
    return surely


def _effects(counts: pd.DataFrame, plans: pd.DataFrame, months: Sequence[int]) -> pd.DataFrame:
    asked = plans.assign(target_points=float("nan"), target=float("nan"))
    return verify(counts, asked, looks=months, higher_is_better=False, alone=True).set_index(_LOOK)


def _withheld(looks: pd.DataFrame, rows: pd.Series[bool]) -> pd.DataFrame:
    noted = [";".join(filter(None, (notes, NOTE))) for notes in looks["notes"]]
    return looks.assign(
        verdict=looks["verdict"].mask(rows, EffectVerdict.NOT_ENOUGH.value),
        reason_key=looks["reason_key"].mask(rows, WHY),
        notes=looks["notes"].where(~rows, pd.Series(noted, index=looks.index)),
    )
