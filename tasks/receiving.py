"""The step ingest: which source, read by which mapping, and what the run reports of it."""

from __future__ import annotations

from pathlib import Path

from models.errors import SourceError
from models.workspace import Workspace
from tasks.ingest import IngestReport, ingest
from tasks.job import Outcome
from tasks.mapping_tools import load_mapping


def receive(workspace: Workspace, source: str, mapping: str, locale: str) -> Outcome:
    """Bring ``source`` into the lake: a folder (with ``mapping`` or in the contract) or a mapping file beside its data.

    Broken files are told as problems of the run; the others are received. Raises SourceError when the source as a
    whole cannot be used.
    """
    root, mapping_file = Path(source), Path(mapping) if mapping else None
    if not root.exists():
        raise SourceError("run.source_missing", source=source)
    if root.suffix == ".toml" and root.is_file():
        root, mapping_file = root.parent, root
    report = ingest(workspace, root, load_mapping(mapping_file) if mapping_file else None)
    return Outcome(counts=_counts(report), problems=tuple(error.text(locale) for error in report.errors))


def _counts(report: IngestReport) -> dict[str, int]:
    files = [file for table in report.tables for file in table.files]
    return {
        "files": len(files),
        "rows": sum(file.rows for file in files),
        "received": sum(file.received for file in files),
        "duplicate": sum(file.duplicate for file in files),
        "quarantined": sum(file.quarantined for file in files),
    }
