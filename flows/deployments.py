"""All schedules in one list: what `rematch serve` runs and `prefect.yaml` deploys for workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from models.settings import Settings

ENTRYPOINT = "flows.closed_loop.closed_loop"  # by module: a path entrypoint would run our modules a second time


@dataclass(frozen=True)
class Scheduled:
    """A deployment: which flow, when, with what, and that no two of its runs overlap."""

    name: str
    cron: Callable[[Settings], str]
    parameters: Callable[[Settings], dict[str, Any]]
    tags: tuple[str, ...] = field(default=())


SCHEDULES = (
    Scheduled(
        name="monthly-cycle",
        cron=lambda settings: settings.cycle_cron,
        parameters=lambda settings: {"source": settings.cycle_source},
        tags=("rematch", "cycle"),
    ),
)


def deployments(settings: Settings) -> list[Any]:
    """The schedules as Prefect deployments served from this process.

    The time zone stands in the schedule (a bare cron would mean UTC); a run due while another one is working is
    cancelled, not queued: the cycle in progress already has its data.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy  # noqa: PLC0415
    from prefect.deployments.runner import EntrypointType  # noqa: PLC0415
    from prefect.schedules import Cron  # noqa: PLC0415

    from flows.closed_loop import closed_loop  # noqa: PLC0415

    return [
        closed_loop.to_deployment(
            name=entry.name,
            schedule=Cron(entry.cron(settings), timezone=settings.timezone),
            parameters=entry.parameters(settings),
            tags=list(entry.tags),
            concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for entry in SCHEDULES
    ]
