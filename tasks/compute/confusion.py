"""What customers confirm when a consultant declares a reason: the confusion of declared against confirmed reasons.

Learnt from the defeats whose revisit confirmed a reason. The chance of each confirmed reason given the declared one is
drawn together step by step: network -> declared destination -> series -> source, and then to the dealer's own answers;
each step keeps as much of the wider figure as its few cases leave open. That corrects at once for misreporting and for
who answered the revisit, as far as those differ by series, source, declared destination and reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

#: Columns of the rows this module takes; ``declared`` is empty text where no reason was filed.
STRATA = ("declared_destination", "series", "source")
_STRATUM_PRIOR = 20.0  # answers of the wider stratum that a narrower one starts with
_LEAST_BETWEEN = 0.005  # smallest share of variance between dealers assumed, so that few dealers never look alike
_MOST_BETWEEN = 0.5


@dataclass(frozen=True)
class Confusion:
    """The answers and what they teach; ``declared`` and ``confirmed`` name rows and columns of the matrices."""

    declared: pd.Index
    confirmed: pd.Index
    network: Floats  # declared x confirmed: chance of each confirmed reason
    answers: Floats  # per declared reason
    between: float  # share of variance between dealers (intra-class correlation)
    prior: float  # answers of the network a dealer's own confusion starts with: (1 - between) / between


def learn(rows: pd.DataFrame) -> Confusion:
    """The network's confusion from ``rows`` (dealer_id, declared, confirmed; STRATA): those with a confirmed reason."""
    answered = rows[rows["confirmed"].notna()]
    d, declared = pd.factorize(rows["declared"], sort=True)
    d = d[rows["confirmed"].notna().to_numpy()]
    c, confirmed = pd.factorize(answered["confirmed"], sort=True)
    counts = _matrix(d.astype("int64"), c.astype("int64"), len(declared), len(confirmed))
    whole = (counts.sum(0) + 1e-9) / (counts.sum() + 1e-9 * max(len(confirmed), 1))
    network = (counts + whole) / (counts.sum(1, keepdims=True) + 1)
    between = _between(answered["dealer_id"], d.astype("int64"), c.astype("int64"), counts)
    return Confusion(pd.Index(declared), pd.Index(confirmed), network, counts.sum(1), between, (1 - between) / between)


def _codes(words: pd.Index, values: pd.Series) -> Codes:
    return np.asarray(words.get_indexer(pd.Index(values)), dtype="int64")


def _matrix(row: Codes, column: Codes, rows: int, columns: int) -> Floats:
    return np.bincount(row * columns + column, minlength=rows * columns).reshape(rows, columns).astype("float64")


def _between(dealer_id: pd.Series, d: Codes, c: Codes, counts: Floats) -> float:
    """Share of variance between dealers, by moments over all declared reasons with several answers at a dealer."""
    if not len(d):
        return _MOST_BETWEEN
    dealer = pd.factorize(dealer_id)[0].astype("int64")
    pair, place = np.unique(dealer * len(counts) + d, return_inverse=True)
    own = _matrix(place.astype("int64"), c, len(pair), counts.shape[1])
    n, of = own.sum(1), pair % len(counts)
    rate = counts[of] / np.maximum(counts[of].sum(1, keepdims=True), 1)
    spread = 1 - (rate**2).sum(1)
    used = (n > 1) & (spread > 0)
    if not used.any():
        return _MOST_BETWEEN
    distance = ((own / n[:, None] - rate) ** 2).sum(1)
    excess = (n * (distance - spread / n))[used].sum()
    possible = (n * spread * (1 - 1 / n))[used].sum()
    return float(np.clip(excess / possible, _LEAST_BETWEEN, _MOST_BETWEEN))


@dataclass(frozen=True)
class Groups:
    """Defeats alike in dealer, declared reason and strata, with the chance of each confirmed reason of the unasked."""

    rows: pd.DataFrame  # dealer_id, region_id, declared, STRATA, one row per group
    filed: Floats  # defeats
    unasked: Floats  # of them without a confirmed reason
    said: Floats  # groups x confirmed: counts of what was confirmed
    chance: Floats  # groups x confirmed
    answers: Floats  # the dealer's own answers for the declared reason


def groups(learnt: pd.DataFrame, shown: pd.DataFrame, confusion: Confusion) -> Groups:
    """The groups of ``shown`` defeats, their chances from the ``learnt`` ones (both as for ``learn``)."""
    keys = ["dealer_id", "region_id", "declared", *STRATA]
    number = shown.groupby(keys, observed=True, dropna=False).ngroup().to_numpy()
    rows = shown[keys].assign(number=number).drop_duplicates("number").sort_values("number").drop(columns="number")
    rows = rows.reset_index(drop=True)
    width = len(confusion.confirmed)
    asked = shown["confirmed"].notna().to_numpy()
    said = np.zeros((len(rows), width))
    if asked.any():
        c = _codes(confusion.confirmed, shown["confirmed"][asked])
        said = _matrix(number[asked].astype("int64"), c, len(rows), width)
    filed = np.bincount(number, minlength=len(rows)).astype("float64")
    answered = learnt[learnt["confirmed"].notna()]
    chance = _within_strata(answered, rows, confusion)
    keys = ["dealer_id", "declared"]
    own, n = _counts(answered, rows, keys, confusion)
    usual = _expected(_within_strata(answered, answered, confusion), answered, rows, keys)
    # the dealer's answers against what such customers usually say, by as much as they prove: strata stay apart
    start = confusion.prior * usual / np.maximum(n, 1)[:, None]
    ratio = np.divide(own + start, usual + start, out=np.ones_like(own), where=usual + start > 0)
    chance = chance * ratio
    chance = chance / np.maximum(chance.sum(1, keepdims=True), 1e-12)
    return Groups(rows, filed, filed - said.sum(1), said, chance, n)


def _expected(chance: Floats, answered: pd.DataFrame, rows: pd.DataFrame, keys: list[str]) -> Floats:
    """Per row the summed ``chance`` of the answers that share its ``keys``."""
    both = pd.concat([rows[keys], answered[keys]], ignore_index=True)
    number = both.groupby(keys, observed=True, dropna=False).ngroup().to_numpy().astype("int64")
    size = int(number.max()) + 1 if len(number) else 0
    return np.asarray(sums_by(chance, number[len(rows) :], size)[number[: len(rows)]])


def sums_by(values: Floats, key: Codes, size: int) -> Floats:
    """The rows of ``values`` added up by ``key``, in their order; ``size`` sums, of as many columns as ``values``."""
    rows = np.arange(len(key) + 1)
    of_key = sparse.csr_array((np.ones(len(key)), key, rows), shape=(len(key), size)).T.tocsr()
    return np.asarray(of_key @ values)


def _within_strata(answered: pd.DataFrame, rows: pd.DataFrame, confusion: Confusion) -> Floats:
    place = _codes(confusion.declared, rows["declared"])
    chance = confusion.network[place]
    for depth in range(1, len(STRATA) + 1):
        own, n = _counts(answered, rows, ["declared", *STRATA[:depth]], confusion)
        chance = (own + _STRATUM_PRIOR * chance) / (n + _STRATUM_PRIOR)[:, None]
    return np.asarray(chance)


def _counts(
    answered: pd.DataFrame, rows: pd.DataFrame, keys: Sequence[str], confusion: Confusion
) -> tuple[Floats, Floats]:
    """Per row the answers of all that share its ``keys``: by confirmed reason, and their number."""
    both = pd.concat([rows[list(keys)], answered[list(keys)]], ignore_index=True)
    number = both.groupby(list(keys), observed=True, dropna=False).ngroup().to_numpy().astype("int64")
    mine, theirs = number[: len(rows)], number[len(rows) :]
    c = _codes(confusion.confirmed, answered["confirmed"])
    known, place = np.unique(mine, return_inverse=True)
    at = np.searchsorted(known, theirs)
    held = (at < len(known)) & (known[np.minimum(at, max(len(known) - 1, 0))] == theirs) if len(known) else at < 0
    counts = _matrix(at[held], c[held], len(known), len(confusion.confirmed))[place]
    return counts, counts.sum(1)
