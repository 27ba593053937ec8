"""A daemon one of whose threads hangs says so, and stops feeding the service manager's watchdog, which then restarts it."""
import contextlib
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
import harness  # noqa: E402

# As many seconds as serve.cpp gives a thread that says nothing, and some for the daemon to notice.
SILENCE = 60
SLACK = 60

# A point that each thread passes when jobs are submitted: before the writer commits, and after the engine has remembered.
POINTS = {"writer": "commit.insert_jobs.formed", "engine": "commit.insert_jobs.applied"}


@contextlib.contextmanager
def watched(base):
    """A stack whose daemon is told of a watchdog; yields it, the service manager's socket, and the file of its failpoint."""
    os.makedirs(base)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(f"{base}/notify")
        request = f"{base}/failpoint"
        with open(request, "w", encoding="utf-8"):
            pass
        env = {"NOTIFY_SOCKET": f"{base}/notify", "WATCHDOG_USEC": "400000", "DROVER_FAILPOINT": f"file:{request}"}
        with harness.stack(env=env) as drover:
            yield drover, manager, request


def fed_within(manager, seconds):
    """Is the watchdog fed in the next so many seconds?"""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        manager.settimeout(left)
        try:
            if manager.recv(4096) == b"WATCHDOG=1":
                return True
        except TimeoutError:
            return False
    return False


def drain(manager):
    manager.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            manager.recv(4096)


def test_a_thread_that_hangs_starves_the_watchdog(tmp_path):
    with contextlib.ExitStack() as stacks:
        hung = {thread: stacks.enter_context(watched(f"{tmp_path}/{thread}")) for thread in POINTS}
        for thread, (drover, manager, request) in hung.items():
            assert fed_within(manager, SLACK), f"{thread}: the watchdog was never fed"
            with open(request, "w", encoding="utf-8") as out:
                out.write(f"hang@{POINTS[thread]}:1\n")
            with contextlib.suppress(TimeoutError):
                drover.call("POST", "/jobs", {"task": {"command": "true"}}, timeout=1)
        for thread, (drover, manager, _) in hung.items():
            harness.wait_for(lambda of=drover, name=thread: f"the {name} does not get on" in of.daemon_log(),
                             f"the {thread}'s silence to be noticed", timeout=SILENCE + SLACK)
            drain(manager)
            assert not fed_within(manager, 2), f"{thread}: a daemon that does not get on feeds the watchdog"
            assert drover.call("GET", "/healthz").status == 200, "HTTP is answered still"
            os.kill(drover.daemon.pid, signal.SIGKILL)
