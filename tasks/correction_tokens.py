"""Which row a line of a correction workbook is, signed with the workspace's key; and the record of what was done.

Records are small JSON files in the workspace (``corrections/<dealer>/``), one per event and never changed: each making
of a workbook (an access to personal data, domain.md section 12) and each correction received. They hold ids and
counts, nothing personal.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from models.workspace import Workspace
from tasks.lake import Lake
from tasks.results import fingerprint, write_text

_PURPOSE = b"rematch/correction/1|"
ISSUED, RECEIVED = "issued", "received"
HISTORY_DTYPES = {
    **dict.fromkeys(("at", "kind", "dealer_id", "cycle", "actor", "file"), "str"),
    **dict.fromkeys(("rows", "cells", "refused", "wrong"), "int64"),
}


class BrokenTokenError(Exception):
    """A token or identity that this workspace did not sign as it stands."""


@dataclass(frozen=True)
class Token:
    """A row as it was when the workbook was made; ``digest`` (keyed) says whether it still is."""

    dealer_id: str
    table: str
    file: str
    row: int
    first_key: str
    digest: str
    open: tuple[str, ...]
    confirmable: bool


def sign(lake: Lake, content: Mapping[str, Any]) -> str:
    """``content`` as a text that only this workspace can make."""
    payload = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return f"{base64.urlsafe_b64encode(payload).decode()}.{_mac(lake, payload)}"


def verify(lake: Lake, signed: str) -> dict[str, Any]:
    """What was signed; raises BrokenTokenError when it was changed or made elsewhere."""
    text, _, mac = signed.strip().partition(".")
    try:
        payload = base64.urlsafe_b64decode(text.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BrokenTokenError from error
    if not hmac.compare_digest(_mac(lake, payload).encode(), mac.encode()):
        raise BrokenTokenError
    content: dict[str, Any] = json.loads(payload)
    return content


def token_text(lake: Lake, token: Token) -> str:
    """The token as it stands in a workbook."""
    return sign(lake, asdict(token))


def read_token(lake: Lake, signed: str) -> Token:
    """The token of a line; raises BrokenTokenError."""
    content = verify(lake, signed)
    try:
        return Token(**content | {"open": tuple(content["open"])})
    except (KeyError, TypeError) as error:
        raise BrokenTokenError from error


def _mac(lake: Lake, payload: bytes) -> str:
    seen = lake.protection.fingerprint()
    seen.update(_PURPOSE + payload)
    return str(seen.hexdigest())


def records_folder(workspace: Workspace, dealer_id: str) -> Path:
    """Where the records of a dealer lie."""
    return workspace.home / "corrections" / fingerprint(dealer_id)


def record(workspace: Workspace, kind: str, dealer_id: str, *, cycle: str, **content: object) -> None:
    """Add one event to the history of a dealer's corrections; at the present time, which is what it records."""
    told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, "dealer_id": dealer_id, "cycle": cycle}
    path = records_folder(workspace, dealer_id) / f"{kind}-{uuid.uuid4().hex}.json"
    write_text(path, json.dumps(told | content, ensure_ascii=False))


@dataclass(frozen=True)
class CorrectionState:
    """Where a cycle's corrections stand; of a dealer its latest workbook and latest return count.

    ``issued`` workbooks with ``listed`` rows are out, ``returned`` of them came back at least once; in all returns
    ``rows`` were corrected and ``refused`` not taken; ``wrong`` corrected rows still failed when they came.
    """

    issued: int
    listed: int
    returned: int
    rows: int
    refused: int
    wrong: int


def state(workspace: Workspace, cycle: str) -> CorrectionState:
    """Where the corrections of ``cycle`` stand, from their records."""
    made, back = (history(workspace, kind) for kind in (ISSUED, RECEIVED))
    made = made[made["cycle"] == cycle].drop_duplicates("dealer_id", keep="last")
    back = back[back["cycle"] == cycle]
    latest = back.drop_duplicates("dealer_id", keep="last")
    counts = (len(made), made["rows"].sum(), len(latest), back["rows"].sum(), back["refused"].sum())
    return CorrectionState(*(int(count) for count in (*counts, latest["wrong"].sum())))


def history(workspace: Workspace, kind: str = RECEIVED, dealer_id: str | None = None) -> pd.DataFrame:
    """The recorded events of one kind in their order, columns ``HISTORY_DTYPES``: who corrected when, how many.

    ``at`` UTC (ISO), ``rows`` and ``cells`` corrected, ``refused`` rows, rows still ``wrong`` when they were checked.
    """
    folder = workspace.home / "corrections"
    places = folder.glob("*") if dealer_id is None else [records_folder(workspace, dealer_id)]
    found = [json.loads(file.read_text("utf-8")) for place in places for file in place.glob(f"{kind}-*.json")]
    found.sort(key=lambda event: (event["at"], event["dealer_id"], event.get("file", "")))
    columns = {
        name: pd.Series([event.get(name, 0 if dtype == "int64" else "") for event in found], dtype=dtype)
        for name, dtype in HISTORY_DTYPES.items()
    }
    return pd.DataFrame(columns)
