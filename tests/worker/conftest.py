"""What every test of the worker program is given."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from fake_daemon import FakeDaemon, FakeImds  # noqa: E402
from machine import Machine  # noqa: E402


@pytest.fixture
def daemon():
    made = FakeDaemon()
    yield made
    made.stop()


@pytest.fixture
def imds():
    made = FakeImds()
    yield made
    made.stop()


@pytest.fixture
def machine(daemon, tmp_path):
    made = Machine(daemon, tmp_path)
    yield made
    made.close()
