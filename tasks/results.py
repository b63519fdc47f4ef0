"""What a cycle computed: Parquet files and step records in ``results/<cycle>/<version>/``, written once.

A version is named after what it was computed from (``as_of`` and a fingerprint of data, settings and standards), so
that the same inputs find their finished steps again after a crash, and a re-judged cycle is a new version beside the
published one (domain.md section 14, Time). ``current.json`` names the published version.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from models.errors import NotAvailableError
from models.facts import Cycle

CURRENT = "current.json"


def fingerprint(*parts: object) -> str:
    """A short stable name for what ``parts`` (JSON-able) say; 12 hex digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]


def file_checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file as ``write_bytes`` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old or the new content, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_bytes(content)
    half.replace(path)


@dataclass(frozen=True)
class Results:
    """One version of one cycle's results."""

    root: Path  # results/
    cycle: str
    version: str

    @classmethod
    def of(cls, root: Path, cycle: Cycle, inputs: str) -> Results:
        """The version of ``cycle`` computed from ``inputs`` (a fingerprint)."""
        return cls(root, cycle.name, f"{cycle.as_of:%Y%m%d}-{inputs}")

    @classmethod
    def published(cls, root: Path, cycle: str) -> Results:
        """The published version; raises NotAvailableError naming the cycles there are when there is none."""
        try:
            version = json.loads((root / cycle / CURRENT).read_text("utf-8"))["version"]
        except FileNotFoundError:
            raise NotAvailableError(
                "results.no_cycle", cycle=cycle, known=", ".join(published_cycles(root)) or "-"
            ) from None
        return cls(root, cycle, version)

    def as_of(self) -> datetime:
        """What was known when the published version was judged."""
        return datetime.fromisoformat(json.loads((self.root / self.cycle / CURRENT).read_text("utf-8"))["as_of"])

    @property
    def folder(self) -> Path:
        """Where this version lies."""
        return self.root / self.cycle / self.version

    def path(self, name: str) -> Path:
        """The file of result ``name``."""
        return self.folder / f"{name}.parquet"

    def has(self, name: str) -> bool:
        """Whether result ``name`` was written."""
        return self.path(name).is_file()

    def write(self, name: str, frame: pd.DataFrame) -> None:
        """Write result ``name`` in one move."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name}.{os.getpid()}")
        if frame.empty:  # Arrow calls an empty column of objects null, and then nobody can ask for its words
            frame = frame.astype(dict.fromkeys(frame.select_dtypes("object", exclude="str").columns, "str"))
        frame.to_parquet(half, index=False, compression="zstd")
        half.replace(path)

    def read(
        self, name: str, columns: list[str] | None = None, where: Mapping[str, Collection[str]] | None = None
    ) -> pd.DataFrame:
        """Result ``name``, of it only ``columns`` and the rows ``where`` columns have one of the given values.

        Raises NotAvailableError when this version has none.
        """
        if not self.has(name):
            raise NotAvailableError("results.not_computed", name=name, cycle=self.cycle)
        filters = [(column, "in", list(values)) for column, values in where.items()] if where else None
        return pd.read_parquet(self.path(name), columns=columns, filters=filters)

    def finished(self, step: str) -> dict[str, Any] | None:
        """The record a finished step left, if every file it names is still there unchanged; else None."""
        try:
            record: dict[str, Any] = json.loads(self.record(step).read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        outputs: dict[str, str] = record["outputs"]
        whole = all(self.has(name) and file_checksum(self.path(name)) == known for name, known in outputs.items())
        return record if whole else None

    def finish(
        self, step: str, outputs: tuple[str, ...], counts: Mapping[str, object], notices: Collection[str] = ()
    ) -> None:
        """Record that ``step`` is done with these result files, and what was said of it."""
        sums = {name: file_checksum(self.path(name)) for name in outputs}
        record = {"outputs": sums, "counts": dict(counts), "notices": list(notices)}
        write_text(self.record(step), json.dumps(record, ensure_ascii=False, indent=1))

    def record(self, step: str) -> Path:
        """The file in which a finished step is recorded."""
        return self.folder / "steps" / f"{step}.json"

    def publish(self, cycle: Cycle) -> None:
        """Make this the version that exports and pages show."""
        content = {"version": self.version, "as_of": cycle.as_of.isoformat()}
        write_text(self.root / self.cycle / CURRENT, json.dumps(content))


def published_cycles(root: Path) -> list[str]:
    """The cycles with a published version, oldest first."""
    return sorted(path.parent.name for path in root.glob(f"*/{CURRENT}"))
