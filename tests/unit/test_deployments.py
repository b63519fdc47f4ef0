"""The schedules: one list, two ways to run them (`rematch serve` and workers by prefect.yaml), the same meaning."""

import tomllib
from pathlib import Path

import pytest
import yaml

from flows.deployments import ENTRYPOINT, SCHEDULES, deployments
from models.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"REMATCH_{name.upper()}", raising=False)
    return Settings(cycle_source="/data/exports")


@pytest.fixture
def served(settings):
    return deployments(settings)


def test_prefect_yaml_says_what_rematch_serve_does(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"REMATCH_{name.upper()}", raising=False)
    defaults = Settings()
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    assert [entry["name"] for entry in written] == [entry.name for entry in SCHEDULES]
    for entry, ours, made in zip(written, SCHEDULES, deployments(defaults), strict=True):
        assert entry["entrypoint"] == ENTRYPOINT == made.entrypoint
        assert entry["parameters"] == ours.parameters(defaults) == made.parameters
        assert entry["schedules"] == [{"cron": ours.cron(defaults), "timezone": defaults.timezone}]
        assert tuple(entry["tags"]) == ours.tags
        limit = entry["concurrency_limit"]
        assert (limit["limit"], limit["collision_strategy"]) == (1, "CANCEL_NEW")


def test_prefect_yaml_names_the_prefect_we_are_built_for():
    version = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["prefect-version"]
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert any(need.startswith(f"prefect>={version}") for need in needs)


def test_no_two_cycles_at_once_and_times_in_the_workspaces_zone(served, settings):
    [cycle] = served
    assert cycle.concurrency_limit == 1
    assert cycle.concurrency_options.collision_strategy.value == "CANCEL_NEW"
    [schedule] = cycle.schedules
    assert (schedule.schedule.cron, schedule.schedule.timezone) == (settings.cycle_cron, settings.timezone)
    assert cycle.parameters == {"source": "/data/exports"}, "as_of stays the end of the data, the cycle its last month"


def test_parameters_are_a_form_with_their_meaning(served):
    schema = served[0]._parameter_openapi_schema.model_dump()
    fields = schema["properties"]
    assert set(fields) == {"cycle", "source", "as_of", "mapping"}
    assert all(field["description"] for field in fields.values())
    assert fields["cycle"]["pattern"] == r"^(\d{4}-(0[1-9]|1[0-2]))?$"
    assert not schema.get("required"), "the scheduled run fills in nothing by hand"
