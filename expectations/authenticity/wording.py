"""Signs in the free text: the same longer text again and again, or nearly the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz, process
from scipy.stats import poisson

from expectations.authenticity.parts import Part
from expectations.authenticity.records import NotCheckedError, Records

Limits = Mapping[str, float]
_DIFFER = 2.0  # how much more common than elsewhere a text may honestly be at a dealer with other customers


def copied_text(records: Records, limits: Limits) -> Iterator[Part]:
    """Longer texts that recur at a dealer more than elsewhere; on a sample, texts like several others of the dealer.

    Texts are compared without punctuation, spaces and case, and whatever the figures in them. Short remarks recur
    honestly and are left out.
    """
    filings = records.filings
    text, normal = _normalised(*filings.codes("reason_text"), least_words=limits["words"])
    looked = (text >= 0) & (filings.dealer >= 0)
    if not looked.any():
        raise NotCheckedError("no_rows")
    rows = np.flatnonzero(looked)
    again = np.zeros(len(filings), bool)
    again[rows] = _again(filings.dealer[rows], text[rows], limits)
    yield Part(filings, looked, again)
    sample, like = _near(filings.dealer[rows], text[rows], again[rows], normal, limits)
    near_looked, near = np.zeros(len(filings), bool), np.zeros(len(filings), bool)
    near_looked[rows[sample]], near[rows[sample[like]]] = True, True
    yield Part(filings, near_looked, near)


def _normalised(code: np.ndarray, texts: pa.Array, least_words: float) -> tuple[np.ndarray, list[str]]:
    """Per row the number of its text as compared (-1: none, or short), and those texts."""
    words = pc.count_substring_regex(texts, r"\p{Han}|[A-Za-z]+")
    bare = pc.replace_substring_regex(pc.utf8_lower(texts), r"[\p{P}\p{S}\s]+", "")
    bare = pc.replace_substring_regex(bare, r"\d+", "0").dictionary_encode()
    number = np.where(pc.greater_equal(words, int(least_words)).to_numpy(False), bare.indices.to_numpy(False), -1)
    return np.append(number, -1)[code], bare.dictionary.to_pylist()


def _again(dealer: np.ndarray, text: np.ndarray, limits: Limits) -> np.ndarray:
    """Rows whose text the dealer uses more often than its frequency elsewhere explains.

    It must also make up much of what the dealer writes: a few colleagues' usual words for each reason do not.
    """
    many = int(text.max()) + 1
    cells, cell, copies = np.unique(dealer * many + text, return_inverse=True, return_counts=True)
    of_dealer, of_text = np.bincount(dealer), np.bincount(text, minlength=many)
    words, own = cells % many, of_dealer[cells // many]
    elsewhere = (of_text[words] - copies) / np.maximum(len(text) - own, 1)
    usual = own * elsewhere * _DIFFER + 0.01
    repeated = copies >= limits["copies"]
    enough = copies >= limits["share"] * own
    return (repeated & enough & (poisson.sf(copies - 1, usual) < limits["chance"]))[cell]


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
