"""Where the workspace is; apart from ``models.workspace``, whose settings take a tenth of a second to import."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "REMATCH_HOME"
DEFAULT_HOME = ".rematch"


def home_from(option: Path | None = None) -> Path:
    """The workspace folder: ``--home``, else ``REMATCH_HOME``, else ``./.rematch``; absolute."""
    return Path(option or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).expanduser().absolute()
