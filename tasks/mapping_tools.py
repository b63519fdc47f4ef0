"""Shells around the mapping language: load a mapping file, propose one from files, check one against its source."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from models.enums import Severity
from models.errors import MappingError
from models.mapping import SourceMapping
from models.messages import DEFAULT_LOCALE, text
from tasks.compute.mapping_faults import Finding, faults


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
