"""What every test of the worker program is given."""

import ctypes
import os
import sys
import time

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


@pytest.fixture
def small_disk(tmp_path):
    """A directory with little room."""
    path = tmp_path / "disk"
    path.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", bytes(path), b"tmpfs", 0, b"size=4m,nr_inodes=300,mode=755") != 0:
        pytest.skip("no file system can be mounted here")
    yield path
    for _ in range(100):
        if libc.umount2(bytes(path), 0) == 0:
            return
        time.sleep(0.05)
    libc.umount2(bytes(path), 2)  # what is left of it goes with its last user
