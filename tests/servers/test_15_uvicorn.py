"""uvicorn, on its own and as gunicorn's worker, which dies of the signal that it was stopped by."""

import pytest


def hand_in_six(server):
    """Events that wait for an hour, or for the server's stop."""
    server.wait_until(server.answers, "answer")
    for number in range(6):
        server.get(f"stranger/{number}")


def arrived_at(sandbox):
    return sorted(event["data"]["number"] for event in sandbox.events())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_15_uvicorn_without_a_lifespan(start, sandbox, workers):
    """`flush_on_sigterm()` in the last line of a Django project's asgi.py: what is pending at the stop arrives."""
    server = start(
        *("uvicorn", "django_asgi:application", "--port", "{port}", "--workers", workers),
        SPOTZEE_FLUSH_INTERVAL_SECONDS="3600",
    )
    hand_in_six(server)

    server.stop()

    assert arrived_at(sandbox) == list(range(6)), server.output


@pytest.mark.parametrize("app", ["fastapi_shop:app", "django_asgi:application"])
def test_15_uvicorn_as_gunicorns_worker(start, sandbox, app):
    """So it dies under gunicorn: `ContactMiddleware`, or `flush_on_sigterm()`, delivers what is pending at the stop."""
    server = start(
        *("gunicorn", app, "-k", "uvicorn_worker.UvicornWorker", "-b", "127.0.0.1:{port}"),
        SPOTZEE_FLUSH_INTERVAL_SECONDS="3600",
    )
    hand_in_six(server)

    assert server.stop() == 0, server.output

    assert arrived_at(sandbox) == list(range(6)), server.output
