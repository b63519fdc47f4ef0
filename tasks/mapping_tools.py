"""Shells around the mapping language: load a mapping file, propose one from files, check one against its source."""

from __future__ import annotations

import glob
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from models.enums import Severity
from models.errors import MappingError
from models.mapping import FileSpec, SourceMapping
from models.messages import DEFAULT_LOCALE, text
from tasks.compute.frames import Notice
from tasks.compute.mapping.check import check
from tasks.compute.mapping.draft import write
from tasks.compute.mapping.faults import Finding, faults
from tasks.compute.mapping.suggest import propose, sheet
from tasks.reading import SUFFIXES, read_files


def parse_mapping(file: Path) -> SourceMapping:
    """The mapping in ``file``, its form checked only; raises MappingError naming file, key and remedy."""
    try:
        content = tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise MappingError("mapping.no_file", file=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError("mapping.not_toml", file=file, problem=error) from error
    try:
        return SourceMapping.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "-"
        raise MappingError("mapping.invalid", file=file, entry=key, problem=first["msg"]) from error


class FaultyMappingError(MappingError):
    """A mapping names tables, fields or inputs that are not there; ``findings`` say which, each with its remedy."""

    def text(self, locale: str = DEFAULT_LOCALE) -> str:
        """One line per fault."""
        findings = cast("tuple[Finding, ...]", self.params["findings"])
        return "\n".join(text(self.key, locale, file=self.params["file"], problem=one.text(locale)) for one in findings)


def load_mapping(file: Path) -> SourceMapping:
    """The mapping in ``file``, its names checked against contract and inputs; raises MappingError."""
    mapping = parse_mapping(file)
    blocking = tuple(finding for finding in faults(mapping) if finding.severity is Severity.BLOCK)
    if blocking:
        raise FaultyMappingError("mapping.fault", file=file, findings=blocking)
    return mapping


@dataclass(frozen=True)
class CheckReport:
    """What ``rematch map check`` says: the findings, and what became of the rows of every input that could be read."""

    findings: tuple[Finding, ...]
    rows: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether a run could use the mapping."""
        return all(finding.severity is not Severity.BLOCK for finding in self.findings)


def check_mapping(root: Path, mapping_file: Path) -> CheckReport:
    """Read the source under ``root`` and compare it with the mapping; everything found, not only the first fault.

    Raises MappingError when the mapping file is no mapping at all, SourceError when an input has no file.
    """
    mapping = parse_mapping(mapping_file)
    raw = {name: read_files(root, spec, name) for name, spec in mapping.inputs.items()}
    unread = [
        Finding(Severity.BLOCK, Notice(outcome.error.key, outcome.error.params))
        for table in raw.values()
        for outcome in table.files
        if outcome.error is not None
    ]
    told = [
        Finding(Severity.WARN, notice)
        for table in raw.values()
        for outcome in table.files
        for notice in outcome.notices
    ]
    rows = {name: len(table.frame) for name, table in raw.items()}
    return CheckReport((*unread, *check(raw, mapping), *told), rows)


def suggest_mapping(files: list[Path]) -> str:
    """A first mapping, as TOML text, for these files (or the files of these folders).

    Raises SourceError when none of them can be read. Values of personal columns are not in the text.
    """
    root, names = _data_files(files)
    sheets = []
    for name, path in names.items():
        spec = FileSpec(files=[glob.escape(path)])
        raw = read_files(root, spec, name)
        failed = [outcome.error for outcome in raw.files if outcome.error is not None]
        if failed:
            raise failed[0]
        if len(raw.frame.columns):
            sheets.append(sheet(raw, (path,)))
    if not sheets:
        raise MappingError("mapping.nothing_to_read", files=", ".join(str(file) for file in files))
    return write(propose(sheets))


def _data_files(files: list[Path]) -> tuple[Path, dict[str, str]]:
    """The folder all files lie under, and input name -> path in it."""
    found = [one for file in files for one in (sorted(file.iterdir()) if file.is_dir() else [file])]
    wanted = [file for file in found if file in files or file.suffix.lower() in SUFFIXES]
    if not wanted:
        raise MappingError("mapping.nothing_to_read", files=", ".join(str(file) for file in files))
    root = Path(os.path.commonpath([file.absolute().parent for file in wanted]))
    names: dict[str, str] = {}
    for file in wanted:
        stem = re.sub(r"\W+", "_", file.stem.lower()).strip("_") or "input"
        name = stem if stem not in names else f"{stem}_{len(names)}"
        names[name] = file.absolute().relative_to(root).as_posix()
    return root, names


def schema_text() -> str:
    """The JSON schema of mapping files, as kept in docs/mapping.schema.json (editors complete and check by it)."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | SourceMapping.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
