"""Bounds in pyproject.toml that pip cannot see to be needed; tests/flows/test_serve.py guards the one of SQLAlchemy."""


def test_prefects_server_imports():
    """Guards fastapi < 0.155: from there on Prefect's server does not import."""
    from prefect.server.api.server import create_app

    assert create_app


def test_flow_runs_can_be_read_without_sort_and_limit(prefect_server):
    """Guards fastapi < 0.151: 0.151 to 0.154 answer 422 to every filter whose limit or sort is null."""
    from prefect import flow
    from prefect.client.orchestration import get_client

    @flow
    def nothing():
        return 1

    assert nothing() == 1
    with get_client(sync_client=True) as client:
        assert any(run.state.is_completed() for run in client.read_flow_runs(sort=None, limit=None))
