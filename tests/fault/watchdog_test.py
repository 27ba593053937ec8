"""A daemon one of whose threads hangs says so, and stops feeding the service manager's watchdog, which then restarts it."""
import contextlib
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
import harness  # noqa: E402

# As many seconds as serve.cpp gives a thread that says nothing, and some for the daemon to notice.
SILENCE = 60
SLACK = 60

# A point that each thread passes when jobs are submitted: before the writer commits, and after the engine has remembered.
POINTS = {"writer": "commit.insert_jobs.formed", "engine": "commit.insert_jobs.applied"}


class Manager:
    """The service manager: takes what the daemon tells it, always, since a daemon waits for a manager that does not listen."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.fed = 0
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while message := self.socket.recv(4096):
            self.fed += message == b"WATCHDOG=1"

    def is_fed_within(self, seconds):
        before, until = self.fed, time.monotonic() + seconds
        while self.fed == before and time.monotonic() < until:
            time.sleep(0.05)
        return self.fed > before


@contextlib.contextmanager
def watched(base):
    """A stack whose daemon is told of a watchdog; yields it, the service manager, and the file of its failpoint."""
    os.makedirs(base)
    manager = Manager(f"{base}/notify")
    request = f"{base}/failpoint"
    with open(request, "w", encoding="utf-8"):
        pass
    env = {"NOTIFY_SOCKET": f"{base}/notify", "WATCHDOG_USEC": "400000", "DROVER_FAILPOINT": f"file:{request}"}
    with harness.stack(env=env) as drover:
        yield drover, manager, request


def test_a_thread_that_hangs_starves_the_watchdog(tmp_path):
    with contextlib.ExitStack() as stacks:
        hung = {thread: stacks.enter_context(watched(f"{tmp_path}/{thread}")) for thread in POINTS}
        for thread, (drover, manager, request) in hung.items():
            assert manager.is_fed_within(SLACK), f"{thread}: the watchdog was never fed"
            with open(request, "w", encoding="utf-8") as out:
                out.write(f"hang@{POINTS[thread]}:1\n")
            with contextlib.suppress(TimeoutError):
                drover.call("POST", "/jobs", {"task": {"command": "true"}}, timeout=1)
        for thread, (drover, manager, _) in hung.items():
            harness.wait_for(lambda of=drover, name=thread: f"the {name} does not get on" in of.daemon_log(),
                             f"the {thread}'s silence to be noticed", timeout=SILENCE + SLACK)
            assert not manager.is_fed_within(2), f"{thread}: a daemon that does not get on feeds the watchdog"
            assert drover.call("GET", "/healthz").status == 200, "HTTP is answered still"
            os.kill(drover.daemon.pid, signal.SIGKILL)
