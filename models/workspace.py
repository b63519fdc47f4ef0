"""The workspace: one folder that holds settings, lake, databases, results, reports and logs of one OEM."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from models.catalogue.own_expectations import own_expectations, own_texts
from models.errors import SettingsError
from models.home import HOME_VARIABLE, home_from
from models.in_force import put_in_force
from models.settings import KEY_FILE, SETTINGS_FILE, Settings, load_settings

STANDARDS = "standards"  # the folder of an OEM's own standards, unless the settings name another
EXAMPLE_STANDARDS = Path(__file__).parent / "standards_example"  # what `rematch init` puts there, all of it comments
EXAMPLE_SCENES = Path(__file__).parent / "scenes_example"  # likewise; no file of it is a scene until it is renamed

__all__ = ["HOME_VARIABLE", "Workspace", "home_from"]


@dataclass(frozen=True)
class Workspace:
    """Where everything of one workspace lies; paths only, plus its settings and key."""

    home: Path
    settings: Settings

    @classmethod
    def open(cls, home: Path, **overrides: object) -> Workspace:
        """The workspace at ``home``, its standards put in force (``models.in_force``).

        Raises SettingsError when its settings cannot be used, CatalogueError when its own expectations cannot.
        """
        workspace = cls(home, load_settings(home, **overrides))
        folder = workspace.standards
        put_in_force(folder)
        if folder is not None:
            put_in_force(folder, own_texts(own_expectations(folder)))
        return workspace

    @property
    def standards(self) -> Path | None:
        """The OEM's own standards laid over those shipped; None without such a folder.

        Raises SettingsError when the settings name a folder that is not there.
        """
        named = self.settings.standards
        folder = self.home / (named or STANDARDS)
        if named and not folder.is_dir():
            raise SettingsError("standards.no_folder", file=self.home / SETTINGS_FILE, folder=folder)
        return folder if folder.is_dir() else None

    @property
    def lake(self) -> Path:
        """Parquet by table and month."""
        return self.home / "lake"

    @property
    def notes(self) -> Path:
        """Qualitative notes: ``notes/*.toml`` and ``notes/*.csv``, kept by the OEM."""
        return self.home / "notes"

    @property
    def results(self) -> Path:
        """What each cycle computed: ``results/<cycle>/<name>.parquet``."""
        return self.home / "results"

    @property
    def reports(self) -> Path:
        """Pages and workbooks: ``reports/<cycle>/...``."""
        return self.home / "reports"

    @property
    def scenes(self) -> Path:
        """Named scenes, one TOML file each (models.catalogue.scenes)."""
        return self.home / "scenes"

    @property
    def logs(self) -> Path:
        """Log files of runs and of the embedded Prefect server."""
        return self.home / "logs"

    @property
    def prefect(self) -> Path:
        """Prefect's own database and the state of the embedded server."""
        return self.home / "prefect"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the state database."""
        return self.settings.database_url or f"sqlite:///{self.home / 'state.db'}"

    def key(self) -> bytes:
        """The 32-byte secret for phone keys and encryption; raises SettingsError when missing or malformed."""
        secret = self.settings.secret_key
        file = self.home / KEY_FILE
        if secret is None and not file.is_file():
            raise SettingsError("settings.no_key", file=file)
        digits = secret.get_secret_value() if secret is not None else file.read_text("ascii").strip()
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            key = b""
        if len(key) != 32:
            raise SettingsError("settings.bad_key", file=file)
        return key

    def create(self) -> list[Path]:
        """Make the folders and the key file that are missing; returns what was made (safe to repeat)."""
        made = []
        for folder in (self.home, self.lake, self.results, self.reports, self.logs, self.prefect):
            if not folder.is_dir():
                folder.mkdir(parents=True)
                made.append(folder)
        file = self.home / KEY_FILE
        if self.settings.secret_key is None and not file.exists():
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as out:
                out.write(secrets.token_hex(32) + "\n")
            made.append(file)
        return made
