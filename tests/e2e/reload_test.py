"""SIGHUP: what the daemon takes of its configuration while it runs, and what the service manager is told of it."""
import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

from harness import BINARY, PATIENCE, call, free_port, stack, try_call, wait_for


class Serve:
    """A daemon without a database, with a service manager's socket."""

    def __init__(self, place):
        self.place, self.port = place, free_port()
        self.path, self.log = f"{place}/drover.toml", f"{place}/log"
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(f"{place}/notify")
        self.manager.settimeout(60)

    def write(self, text="", listen=None):
        with open(self.path, "w") as file:
            file.write(f'[server]\nlisten = "127.0.0.1:{listen or self.port}"\n[store]\nconninfo = "host={self.place} dbname=none"\n'
                       f'[worker]\nurl = "http://127.0.0.1:{self.port}"\n[artifacts]\ndirectory = "{self.place}/artifacts"\n'
                       f'[cloud]\nprovider = "none"\n{text}')

    def start(self):
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([BINARY, "serve", "--config", self.path], stdin=subprocess.DEVNULL, stderr=log,
                                            env={**os.environ, "NOTIFY_SOCKET": f"{self.place}/notify"})
        self.until("READY=1")

    def until(self, message):
        """The messages to the service manager, up to and with this one."""
        seen = []
        while message not in seen:
            seen.append(self.manager.recv(4096).decode())
        return seen

    def reload(self):
        before = time.monotonic_ns() // 1000
        self.process.send_signal(signal.SIGHUP)
        first = next(message for message in self.until("READY=1") if message.startswith("RELOADING=1"))
        lines = dict(line.split("=") for line in first.splitlines())
        assert before <= int(lines["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000

    def said(self):
        with open(self.log) as log:
            return log.read()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.manager.close()


@pytest.fixture
def serve(tmp_path):
    with contextlib.closing(Serve(str(tmp_path))) as running:
        running.write('[log]\nlevel = "error"\n')
        running.start()
        yield running


def test_the_log_level_changes_and_a_change_that_needs_a_restart_is_named(serve):
    assert "serves" not in serve.said()
    serve.write('[log]\nlevel = "info"\n')
    serve.reload()
    assert f"read {serve.path} again" in serve.said()
    assert "next start" not in serve.said()
    serve.write('[log]\nlevel = "warn"\njson = true\n', listen=free_port())
    serve.reload()
    assert '"level":"warning","message":"what has changed in [server] counts from the next start on"' in serve.said()
    assert call(serve.port, "GET", "/healthz").status == 200


@pytest.mark.parametrize("how", ["an unknown setting", "no TOML", "no file", "a bad pool"])
def test_a_bad_file_is_refused_by_its_line_and_changes_nothing(serve, how):
    if how == "no file":
        os.unlink(serve.path)
        reason = f"cannot read the configuration file {serve.path}"
    else:
        bad = {"an unknown setting": "leevel = 1", "no TOML": "level = = 1", "a bad pool": '[[pool]]\nname = "x y"'}[how]
        serve.write(f'[log]\nlevel = "info"\n{bad}\n')
        reason = f"{serve.path}:{14 if how == 'a bad pool' else 13}: "
    serve.reload()
    assert reason in serve.said() and "goes on as it was" in serve.said()
    assert call(serve.port, "GET", "/healthz").status == 200
    serve.reload()
    assert "again" not in serve.said()  # the level is still the old one
    serve.write('[log]\nlevel = "info"\n')
    serve.reload()
    assert f"read {serve.path} again" in serve.said()
    serve.process.send_signal(signal.SIGTERM)
    assert serve.process.wait(timeout=PATIENCE) == 0


def test_pools_that_do_not_exist_are_made_and_the_others_left_alone():
    with stack() as drover:
        assert [pool["name"] for pool in drover.call("GET", "/pools").json] == ["default"]  # ready means that they are there
        with open(f"{drover.base}/drover.toml", "a") as file:
            file.write('[[pool]]\nname = "second"\nmax = 3\nimage = "ami-local"\ninstance_types = ["local.small"]\n')
        with open(f"{drover.base}/drover.toml") as file:
            text = file.read()
        with open(f"{drover.base}/drover.toml", "w") as file:
            file.write(text.replace("slots = 2", "slots = 1"))
        drover.daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: drover.call("GET", "/pools/second").status == 200, "the new pool")
        assert drover.call("GET", "/pools/second").json["max"] == 3
        assert drover.call("GET", "/pools/default").json["slots"] == 2
        assert try_call(drover.port, "GET", "/readyz").status == 200
