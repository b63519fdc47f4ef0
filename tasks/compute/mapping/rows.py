"""Rows under a mapping: columns by name in any spelling, joined and folded columns beside them, as clean text.

All columns are pandas ``str`` Series, trimmed, with NaN for blanks and for the input's ``na`` texts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz, process

from models.catalogue.contract import FILE_COLUMN, PROVENANCE, ROW_COLUMN
from models.errors import MappingError
from tasks.compute.times import parse_times
from tasks.compute.values import amount

_ZONE = "Asia/Shanghai"  # only for times with an offset among times without one
_WHOLE = re.compile(r"[+-]?\d+\.0+")
_SEPARATORS = re.compile(r"[\s_.\-/()]+")
_SPACES = re.compile(r"\s+")
_DECIMAL = re.compile(r"-?\d{1,6}\.\d+")
_PHONE_LIKE = re.compile(r"(?:\d[\s-]?){7,}")


def loose(text: str) -> str:
    """``text`` with case, full width, surrounding and repeated spaces and a trailing ``.0`` evened out."""
    evened = _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()
    return evened.split(".")[0] if _WHOLE.fullmatch(evened) else evened


def squeezed(text: str) -> str:
    """``text`` evened out and without the signs that only separate words."""
    return _SEPARATORS.sub("", loose(text))


def nearest(text: str, candidates: Iterable[str], most: int = 3, cutoff: float = 60.0) -> list[str]:
    """The candidates spelled most like ``text``, best first; case, spaces and separators do not matter."""
    hits = process.extract(
        text, list(candidates), scorer=fuzz.ratio, processor=squeezed, limit=most, score_cutoff=cutoff
    )
    return [str(hit[0]) for hit in hits]


def per_unique(series: pd.Series, change: Callable[[str], str | None]) -> pd.Series:
    """``change`` applied to each distinct value once; blanks stay blank, None gives a blank."""
    codes, uniques = pd.factorize(series)
    changed = pd.array([change(str(value)) for value in uniques] + [None], dtype="str")
    return pd.Series(changed.take(np.where(codes < 0, len(uniques), codes)), index=series.index)


def keys_of(series: pd.Series, match: str = "loose") -> pd.Series:
    """What a value is compared by: itself, or its evened-out spelling."""
    return series if match == "exact" else per_unique(series, loose)


def numbers(series: pd.Series) -> pd.Series:
    """The values as float64, as the fields of the contract read them (128,800 and 12.88万 too); NaN: no numbers."""
    read = pd.to_numeric(series, errors="coerce").astype("float64")
    rest = read.isna() & series.notna()
    if bool(rest.any()):
        read = read.mask(rest, pd.Series(series[rest].map(amount), index=series.index, dtype="float64"))
    return read


def times(series: pd.Series, formats: Iterable[str]) -> pd.Series:
    """The values as datetime64, as the fields of the contract read them; NaT where none of the formats fits."""
    array = pa.array(series.astype("str"))
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    read, _ = parse_times(pc.cast(array, pa.string()), list(formats), _ZONE)
    return pd.Series(read.to_numpy(zero_copy_only=False), index=series.index)


def blank(index: pd.Index) -> pd.Series:
    """A column without values."""
    return pd.Series(None, index=index, dtype="str")


def shown(value: object) -> str:
    """A source value as messages may show it: short, and not if its digits could be a phone number."""
    text = str(value)
    return "***" if _PHONE_LIKE.search(text) and not _DECIMAL.fullmatch(text) else text[:80]


class Rows:
    """The rows of one input (or of a table being fed), whose columns can be asked for by name.

    ``extra`` holds computed and folded columns, ``links`` the joined inputs with the position of each row's partner
    (-1: none); a joined column is named ``alias.column``.
    """

    def __init__(self, frame: pd.DataFrame, where: str, na: Iterable[str] = ()) -> None:
        self.frame = frame
        self.where = where
        self.na = frozenset(na)
        self.extra: dict[str, pd.Series] = {}
        self.links: dict[str, tuple[Rows, npt.NDArray[np.intp]]] = {}
        self.respelled: dict[str, str] = {}  # as asked for -> as the file spells it
        self._clean: dict[Hashable, pd.Series] = {}
        self._spellings: Mapping[str, str] | None = None

    @property
    def index(self) -> pd.Index:
        """The index all columns share."""
        return self.frame.index

    @property
    def names(self) -> list[str]:
        """All columns that can be asked for."""
        own = [name for name in self.frame.columns if name not in PROVENANCE]
        linked = [f"{alias}.{name}" for alias, (rows, _) in self.links.items() for name in rows.names]
        return [*own, *self.extra, *linked]

    @property
    def provenance(self) -> pd.DataFrame:
        """File and row number of each row."""
        return self.frame[[FILE_COLUMN, ROW_COLUMN]]

    def find(self, name: str) -> str | None:
        """The name a column really has: as given, else the only one spelled alike; None if there is none."""
        if name in self.extra or name in self.frame.columns:  # also _file and _row: an id for rows that have none
            return name
        if self._spellings is None or len(self._spellings) != len(self.names):
            self._spellings = {real: loose(real) for real in self.names}
        if name in self._spellings:
            return name
        alike = [real for real, spelling in self._spellings.items() if spelling == loose(name)]
        return alike[0] if len(alike) == 1 else None

    def column(self, name: str, na: Iterable[str] = (), *, trim: bool = True) -> pd.Series:
        """The column called ``name``; raises MappingError naming the input and the nearest columns if there is none."""
        real = self.find(name)
        if real is None:
            candidates = ", ".join(nearest(name, self.names) or self.names[:20])
            raise MappingError("mapping.missing_column", input=self.where, column=name, candidates=candidates)
        if real != name:
            self.respelled[name] = real
        request = (real, frozenset(na), trim)
        if request not in self._clean:
            self._clean[request] = self._read(real, frozenset(na), trim)
        return self._clean[request]

    def select(self, keep: pd.Series) -> Rows:
        """Only the rows where ``keep`` holds, renumbered, with their computed columns and partners."""
        chosen = Rows(self.frame[keep].reset_index(drop=True), self.where, self.na)
        chosen.respelled = self.respelled
        chosen.extra = {name: column[keep].reset_index(drop=True) for name, column in self.extra.items()}
        chosen.links = {alias: (rows, position[keep.to_numpy()]) for alias, (rows, position) in self.links.items()}
        return chosen

    def beside(self) -> Rows:
        """The same rows, to put other columns and look-ups beside them."""
        twin = Rows(self.frame, self.where, self.na)
        twin.extra = dict(self.extra)
        twin.respelled = self.respelled
        twin._clean = self._clean.copy()
        return twin

    def _read(self, real: str, na: frozenset[str], trim: bool) -> pd.Series:
        if real in self.extra:
            series = self.extra[real]
        elif real in self.frame.columns:
            series = self.frame[real]
        else:
            alias = max((a for a in self.links if real.startswith(f"{a}.")), key=len)
            rows, position = self.links[alias]
            partner = rows.column(real.removeprefix(f"{alias}."), na, trim=trim)
            taken = partner.array.take(position, allow_fill=True)
            return pd.Series(taken, index=self.index, dtype="str")
        series = series.astype("str")
        if trim:
            series = series.str.strip()
        gone = self.na | na
        empty = series.isin([*gone, ""]) if trim else series.isin([*gone]) | (series.str.strip() == "")
        return series.mask(empty) if bool(empty.any()) else series
