"""Settings of a workspace: read from ``rematch.toml`` in its folder and from ``REMATCH_...`` variables, which win."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.errors import SettingsError

SETTINGS_FILE = "rematch.toml"
KEY_FILE = "secret.key"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone of the IANA list, for example Asia/Shanghai") from error
    return name


class Settings(BaseSettings):
    """What an OEM sets for its workspace; every field has a working default."""

    model_config = SettingsConfigDict(env_prefix="REMATCH_", extra="forbid", frozen=True)

    locale: Literal["zh_CN", "en"] = Field("zh_CN", description="language of pages, workbooks and messages")
    timezone: Annotated[str, AfterValidator(_zone)] = Field("Asia/Shanghai", description="zone all times are local to")
    brand: str = Field("", description="the OEM's own brand; a competitor of this name counts as the same brand")
    database_url: str = Field(
        "", description="SQLAlchemy URL of the state database; empty: SQLite in the workspace (production: PostgreSQL)"
    )
    secret_key: SecretStr | None = Field(
        None, description="key (64 hex digits) for phone keys and encryption; empty: the workspace's secret.key file"
    )
    phone_region: str = Field("CN", pattern="^[A-Z]{2}$", description="country a phone without prefix belongs to")
    history_months: int = Field(12, ge=3, le=60, description="months of history a judgement looks back over")
    window_months: int = Field(3, ge=1, le=12, description="last months a dealer's level is judged on")
    max_problems: int = Field(3, ge=1, le=10, description="most problems in one dealer's plan")
    minimum_leads: int = Field(30, ge=1, description="fewest closed leads in the window to judge a dealer at all")
    gate_fail_below: float = Field(60.0, ge=0, le=100, description="quality score under which a dealer is not compared")
    gate_warn_below: float = Field(85.0, ge=0, le=100, description="quality score under which a dealer is warned")
    failed_dealer_share: float = Field(
        0.2, ge=0, le=1, description="share of dealers that may fail in a step before the run counts as failed"
    )
    explore_measures: bool = Field(
        False, description="propose measures by chance in proportion to how likely each is the best (Thompson sampling)"
    )
    hold_back_share: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="share of dealers left without measures for a half-year by chance, as a check",
    )
    chance_seed: int = Field(0, ge=0, description="what `explore_measures` and `hold_back_share` draw from")
    standards: str = Field(
        "", description="folder of the OEM's own standards, seen from the workspace; empty: `standards`, if it is there"
    )
    cycle_cron: str = Field("0 6 5 * *", description="when `rematch serve` starts the monthly cycle, in `timezone`")
    cycle_source: str = Field("", description="the source `rematch serve` runs the monthly cycle on")
    prefect_api_url: str = Field("", description="an existing Prefect API to use; empty: the workspace's own server")


def load_settings(home: Path, **overrides: Any) -> Settings:
    """The settings of the workspace at ``home``.

    Raises SettingsError naming the file, the field and the remedy when a value is wrong or the file is not TOML.
    """
    file = home / SETTINGS_FILE
    values: dict[str, Any] = {}
    if file.is_file():
        try:
            values = tomllib.loads(file.read_text("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError("settings.not_toml", file=file, problem=error) from error
    in_environment = {name for name in Settings.model_fields if f"REMATCH_{name.upper()}" in os.environ}
    merged = {name: value for name, value in values.items() if name not in in_environment} | overrides
    try:
        return Settings(**merged)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError("settings.invalid", file=file, field=field, problem=first["msg"]) from error
