"""An OEM's own standards folder: which files it may hold, and whether all of them can be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from expectations.rules import rules
from expectations.scoring import weights
from expectations.standard import limits
from models.catalogue.commentary import commentary_rules
from models.catalogue.competitors import competitors
from models.catalogue.deadlines import deadlines
from models.catalogue.doubts import doubts
from models.catalogue.filter_rules import filter_rules
from models.catalogue.follow_ups import follow_ups
from models.catalogue.indicators import indicators
from models.catalogue.merging import load_tables
from models.catalogue.own_expectations import own_expectations
from models.catalogue.playbook import FOLDER as PLAYBOOK
from models.catalogue.playbook import playbook
from models.catalogue.price_rules import price_rules
from models.catalogue.profile_rules import profile_rules
from models.catalogue.reasons import catalogue
from models.catalogue.signals import signals
from models.catalogue.text_rules import text_rules
from models.errors import CatalogueError

#: Every file an OEM may lay over the shipped one, and what reads it.
FILES: Mapping[str, Callable[[Path | None], object]] = {
    "expectations.toml": own_expectations,
    "rules.toml": rules,
    "limits.toml": limits,
    "scoring.toml": weights,
    "signals.toml": signals,
    "reasons.toml": catalogue,
    "indicators.toml": indicators,
    "filter_rules.toml": filter_rules,
    "price_rules.toml": price_rules,
    "profile_rules.toml": profile_rules,
    "competitors.toml": competitors,
    "commentary.toml": commentary_rules,
    "doubts.toml": doubts,
    "text_rules.toml": text_rules,
    "deadlines.toml": deadlines,
    "follow_ups.toml": follow_ups,
}


def check_standards(folder: Path | None) -> dict[str, int]:
    """How many entries each file of ``folder`` lays over the shipped standards; every catalogue is read as it will be.

    Raises CatalogueError naming file, entry and remedy for a file of an unknown name and for whatever could not be
    used later: nothing of a faulty folder is ever taken in part.
    """
    if folder is None:
        return {}
    found: dict[str, int] = {}
    for file in sorted(folder.rglob("*.toml")):
        name = file.relative_to(folder).as_posix()
        if name not in FILES and not (file.parent.name == PLAYBOOK.name and file.parent.parent == folder):
            known = ", ".join([*FILES, f"{PLAYBOOK.name}/*.toml"])
            raise CatalogueError("standards.unknown_file", file=file, known=known)
        found[name] = len(load_tables(file))
    for read in (*FILES.values(), playbook):
        read(folder)
    return found
