"""Dashboards for the tests: stopped at the end, when none may have complained of anything."""

import pytest

from tests.web.raw import Server


@pytest.fixture
def serve(queue):
    """Start dashboards of the queue with these options."""
    running = []

    def start(*words, port=0, env=None):
        running.append(Server(queue, "--port", port, *words, env=env))
        return running[-1]
    yield start
    for one in running:
        one.stop()


@pytest.fixture
def server(serve):
    return serve()
