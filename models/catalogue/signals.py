"""The authenticity signals as data (domain.md section 12): what each looks at, its limits, and its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from models.catalogue.contract import contract
from models.catalogue.loading import Label, load_toml
from models.catalogue.merging import laid_over
from models.enums import OwnerRole
from models.errors import CatalogueError
from models.in_force import standard

FILE = Path(__file__).parent / "signals.toml"
#: read for their digits and names when the caller has them; never handed out
PERSONAL_COLUMNS = ("phone", "customer_name")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PeerTest(_Part):
    """The figures of the test all signals share."""

    window_months: int = Field(ge=1)
    fdr: float = Field(gt=0, lt=1)
    peers: int = Field(ge=2)
    spread_low: float = Field(gt=0)
    spread_usual: float = Field(gt=0)
    spread_high: float = Field(gt=0)


class Signal(_Part):
    """One signal: its words, who should look, tables and columns (``table.column``) it cannot do without, limits."""

    label: Label
    explanation: Label
    check: Label
    who: OwnerRole
    tables: tuple[str, ...] = Field(min_length=1)
    columns: tuple[str, ...]
    rows: int = Field(ge=1)
    evidence: int = Field(ge=1)
    limits: Mapping[str, float]


class SignalStandard(_Part):
    """All signals by code, in the order they are shown."""

    test: PeerTest
    signals: Mapping[str, Signal]

    def __getitem__(self, code: str) -> Signal:
        return self.signals[code]


@standard
def signals(folder: Path | None = None) -> SignalStandard:
    """The standard; ``folder`` may hold an OEM's own ``signals.toml``, merged over the shipped one.

    Raises CatalogueError naming file, key and remedy.
    """
    spec, file = laid_over(FILE, SignalStandard, folder)
    _check(spec, load_toml(FILE, SignalStandard), file)
    return spec


def _check(spec: SignalStandard, shipped: SignalStandard, file: Path) -> None:
    """Only what the detectors know may be named: signals and limits of the shipped file, fields of the contract."""
    if not spec.test.spread_low <= spec.test.spread_usual <= spec.test.spread_high:
        raise CatalogueError("signals.spread", file=file, entry="test.spread_usual")
    for code, signal in spec.signals.items():
        if code not in shipped.signals:
            known = ", ".join(shipped.signals)
            raise CatalogueError("signals.unknown", file=file, entry=f"signals.{code}", known=known)
        for name in signal.limits:
            if name not in shipped[code].limits:
                known = ", ".join(shipped[code].limits) or "-"
                raise CatalogueError("signals.unknown", file=file, entry=f"signals.{code}.limits.{name}", known=known)
        for table, column in _named(signal):
            fields = set(contract().tables[table].fields) | {"phone_key"} if table in contract().tables else set()
            if column not in fields:
                raise CatalogueError("signals.unknown", file=file, entry=f"{table}.{column}", known=", ".join(fields))


def _named(signal: Signal) -> Iterator[tuple[str, str]]:
    for name in signal.columns:
        table, _, column = name.partition(".")
        yield table, column
