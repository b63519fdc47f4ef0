"""Signs in the free text: the same longer text again and again, or nearly the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz, process
from scipy.stats import nbinom

from expectations.authenticity.parts import Part
from expectations.authenticity.records import NotCheckedError, Records
from models.catalogue.signals import Signal

Limits = Mapping[str, float]
_COMMON = 200  # texts from which it is learnt how much dealers differ in their use


def copied_text(records: Records, limits: Limits) -> Iterator[Part]:
    """Longer texts that recur at a dealer more than elsewhere about the same; on a sample, texts like several others.

    Texts are compared without punctuation, spaces and case, and whatever the figures in them. Short remarks recur
    honestly and are left out.
    """
    filings = records.filings
    text, chinese, normal = _normalised(*filings.codes("reason_text"), least_words=limits["words"])
    looked = (text >= 0) & (filings.dealer >= 0)
    if not looked.any():
        raise NotCheckedError("no_rows")
    rows = np.flatnonzero(looked)
    again = np.zeros(len(filings), bool)
    about = 2 * (filings.codes("reason_code")[0] + 1) + chinese
    standard = records.standard
    again[rows] = _again(
        filings.dealer[rows], text[rows], about[rows], standard["copied_text"], standard.test.spread_usual
    )
    yield Part(filings, looked, again)
    sample, like = _near(filings.dealer[rows], text[rows], again[rows], normal, limits)
    near_looked, near = np.zeros(len(filings), bool), np.zeros(len(filings), bool)
    near_looked[rows[sample]], near[rows[sample[like]]] = True, True
    yield Part(filings, near_looked, near)


def _normalised(code: np.ndarray, texts: pa.Array, least_words: float) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Per row the number of its text as compared (-1: none, or short) and whether it is Chinese; those texts."""
    words = pc.count_substring_regex(texts, r"\p{Han}|[A-Za-z]+")
    chinese = pc.match_substring_regex(texts, r"\p{Han}").to_numpy(False).astype(np.int64)
    bare = pc.replace_substring_regex(pc.utf8_lower(texts), r"[\p{P}\p{S}\s]+", "")
    bare = pc.replace_substring_regex(bare, r"\d+", "0").dictionary_encode()
    number = np.where(pc.greater_equal(words, int(least_words)).to_numpy(False), bare.indices.to_numpy(False), -1)
    return np.append(number, -1)[code], np.append(chinese, 0)[code], bare.dictionary.to_pylist()


def _again(dealer: np.ndarray, text: np.ndarray, about: np.ndarray, signal: Signal, spread: float) -> np.ndarray:
    """Rows whose text the dealer uses more often than others do who write ``about`` the same.

    A dealer that loses many deals for one reason, or whose staff write another language, repeats the phrases that
    belong to it: copies are expected per stratum ``about`` (reason filed and language), as the other dealers use the
    text there. It must also make up much of what the dealer writes: a few colleagues' usual words for each reason do
    not.
    """
    limits, many = signal.limits, int(text.max()) + 1
    own = np.bincount(dealer)
    cells, copies = np.unique(dealer * many + text, return_counts=True)
    enough = (copies >= limits["copies"]) & (copies >= limits["share"] * own[cells // many])
    striking = np.unique(cells[enough & (own[cells // many] >= signal.rows)] % many)
    if not len(striking):
        return np.zeros(len(text), bool)
    common = np.argsort(np.bincount(text), kind="stable")[-_COMMON:]
    dispersion = _dispersion(_copies(dealer, text, about, common), limits["share"] * own[:, None], spread)
    found = _copies(dealer, text, about, striking)
    repeated = (found.here >= limits["copies"]) & (found.here >= limits["share"] * own[:, None])
    position = np.full(many, -1)
    position[striking] = np.arange(len(striking))
    flagged = repeated & (own >= signal.rows)[:, None] & (_chance(found, dispersion) < limits["chance"])
    return np.append(flagged, np.zeros((len(own), 1), bool), axis=1)[dealer, position[text]]


@dataclass(frozen=True)
class _Copies:
    """Dealers x texts: copies here and elsewhere, copies usual here as others write, and how much one there weighs."""

    here: np.ndarray
    elsewhere: np.ndarray
    usual: np.ndarray
    weight: np.ndarray


def _copies(dealer: np.ndarray, text: np.ndarray, about: np.ndarray, chosen: np.ndarray) -> _Copies:
    dealers, strata, many = int(dealer.max()) + 1, int(about.max()) + 1, len(chosen)
    rows = np.bincount(dealer * strata + about, minlength=dealers * strata).reshape(dealers, strata)
    ratio = rows / (rows.sum(axis=0) - rows + 1)  # of the dealer's rows to all others' in the stratum
    position = np.full(int(text.max()) + 1, -1)
    position[chosen] = np.arange(many)
    at = position[text]
    dealer, about, at = dealer[at >= 0], about[at >= 0], at[at >= 0]
    everywhere = np.bincount(at * strata + about, minlength=many * strata).reshape(many, strata)
    cell, size = dealer * many + at, dealers * many
    here = np.bincount(cell, minlength=size).reshape(dealers, many)
    own = np.bincount(cell, ratio[dealer, about], minlength=size).reshape(dealers, many)
    usual = np.maximum(ratio @ everywhere.T - own, 0.0)
    return _Copies(here, everywhere.sum(axis=1) - here, usual, own / np.maximum(here, 1))


def _chance(copies: _Copies, dispersion: float) -> np.ndarray:
    """How probable as many copies or more are: negative binomial, dealers x texts.

    Houses differ in their phrases (``dispersion``), and how common a text is elsewhere is known no better than from
    the copies there, half a one more: what nobody else has written yet is not impossible.
    """
    shape = 1 / (dispersion + 1 / (copies.elsewhere + 0.5))
    usual = copies.usual + 0.5 * copies.weight
    return np.asarray(nbinom.sf(copies.here - 1, shape, shape / (shape + usual)))


def _dispersion(common: _Copies, limit: np.ndarray, spread: float) -> float:
    """How much more than by chance dealers differ in a text's use, as variance of the ratio of seen to usual.

    By moments over common texts, without those that are much of what a dealer writes: they are what is looked for.
    At least what the standard's usual spread (of log-odds) makes.
    """
    usual, here = common.usual, common.here
    honest = here < limit
    excess = (((here - usual) ** 2 - usual) * honest).sum() / max(float((usual**2 * honest).sum()), 1e-9)
    return max(float(np.expm1(spread**2)), float(excess))


def _near(
    dealer: np.ndarray, text: np.ndarray, again: np.ndarray, normal: list[str], limits: Limits
) -> tuple[np.ndarray, np.ndarray]:
    """A sample of each dealer's different texts (positions), and which of them are like two others at least."""
    different = np.flatnonzero(~again)
    _, first = np.unique(dealer[different] * (int(text.max()) + 1) + text[different], return_index=True)
    different = different[first]  # by dealer
    bounds = np.flatnonzero(np.diff(dealer[different])) + 1
    samples, found = [np.array([], np.int64)], [np.array([], bool)]
    for own in np.split(different, bounds):
        if len(own) < 3:
            continue
        chosen = own[np.linspace(0, len(own) - 1, min(len(own), int(limits["compared"]))).astype(int)]
        words = [normal[number] for number in text[chosen]]
        like = process.cdist(words, words, scorer=fuzz.ratio, score_cutoff=limits["likeness"], dtype=np.uint8)
        samples.append(chosen)
        found.append((like > 0).sum(axis=1) >= 3)  # itself and two others
    return np.concatenate(samples), np.concatenate(found)
