"""A leader and a standby on one store. Workers reach the leader through the gate "worker", as through a virtual address that
follows it; clients ask both and take the one that does not answer 503."""
import contextlib
import os
import signal
import subprocess
import threading
import time

from harness import PATIENCE, free_port, shell, stack, try_call, wait_for
from ledger import Ledger

FAST = {"heartbeat_interval_s": 1, "notice_poll_s": 2, "reconcile_interval_s": 1}


class Daemon:
    def __init__(self, process, port):
        self.process, self.port = process, port

    def readyz(self):
        return try_call(self.port, "GET", "/readyz", timeout=5)

    def leads(self):
        answer = self.readyz()
        return answer is not None and answer.status == 200

    def stands_by(self):
        answer = self.readyz()
        return answer is not None and answer.status == 503 and "another daemon leads" in answer.text

    def is_stopped(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        wait_for(self.is_stopped, "the daemon to stand still")

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        """SIGTERM; how it exits."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


class Pair:
    """The stack, its `leader` and its `standby`."""

    def __init__(self, drover):
        self.drover = drover
        self.daemons = []
        self.leader = self.standby = None

    def add(self, failpoint=None, replace=None, wait=True):
        """One more daemon, which stands by (with `wait`, already)."""
        self.drover.env = {"DROVER_FAILPOINT": failpoint} if failpoint else {}
        port = free_port()
        self.standby = Daemon(self.drover.spawn(port, replace), port)
        self.daemons.append(self.standby)
        if wait:
            wait_for(self.standby.stands_by, "the second daemon to stand by")
        return self.standby

    def take_over(self, since):
        """Waits until the standby leads, and lets everybody's address follow it. Seconds from `since`."""
        wait_for(self.standby.leads, "the standby to lead")
        took = time.monotonic() - since
        self.leader, self.standby = self.standby, None
        self.drover.port = self.leader.port
        self.drover.gates["worker"].target = ("127.0.0.1", self.leader.port)
        self.drover.gates["worker"].cut()
        return took

    def hand_over(self):
        since = time.monotonic()
        assert self.leader.end() == 0
        return self.take_over(since)

    def end(self):
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.go_on()
                daemon.process.send_signal(signal.SIGTERM)
        for daemon in self.daemons:
            try:
                daemon.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                daemon.process.kill()
                daemon.process.wait()


@contextlib.contextmanager
def pair(settings=None, gates=(), **options):
    """A Pair without a standby yet."""
    with stack(settings={**FAST, **(settings or {})}, gates=("worker", *gates), **options) as drover:
        two = Pair(drover)
        two.leader = Daemon(drover.daemon, drover.port)
        two.daemons.append(two.leader)
        try:
            yield two
        finally:
            two.end()


class Storm:
    """Clients that submit without a pause, each to the daemon that took its last job, until end()."""

    def __init__(self, two, clients=6):
        self.ledger = Ledger(two.drover)
        self.over = False
        ports = lambda: [daemon.port for daemon in two.daemons if daemon.process.poll() is None]  # noqa: E731

        def client(number):
            count, port = 0, two.leader.port
            while not self.over:
                specs = [shell("true", queue="storm", name=f"storm-{number}-{count}-{i}") for i in range(5)]
                count += 1
                answer = self.ledger.submit(specs, port)
                if answer is None or answer.status != 201:
                    others = [one for one in ports() if one != port] or [port]
                    port = others[count % len(others)]
                    time.sleep(0.02)
        self.threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def acknowledged(self, more=1):
        """Waits until so many more jobs are acknowledged."""
        before = len(self.ledger.jobs)
        wait_for(lambda: len(self.ledger.jobs) >= before + more, f"{more} more jobs to be acknowledged")

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join(timeout=PATIENCE)
            assert not thread.is_alive(), "a client still waits for its answer"
        return self.ledger


def held_jobs(drover, count, **members):
    """So many running jobs that end when release() is called; each marks every run of it. Returns (jobs, release, check)."""
    marks = f"{drover.base}/marks-{free_port()}"
    os.mkdir(marks)
    text = f'echo run >> "{marks}/$DROVER_JOB_NUMBER"; while [ ! -e "{marks}/go" ]; do sleep 0.2; done'
    jobs = drover.submit([shell(text, name=f"held-{i}", **members) for i in range(count)])
    wait_for(lambda: len(os.listdir(marks)) == count, f"{count} jobs to run")

    def release():
        with open(f"{marks}/go", "w", encoding="utf-8"):
            pass

    def check():
        """All succeeded in their first attempt."""
        for job in jobs:
            done = drover.wait_state(job["id"], "succeeded", "failed")
            assert done["state"] == "succeeded" and done["attempts"] == 1, done
            with open(f"{marks}/{job['number']}", encoding="utf-8") as mark:
                assert mark.read() == "run\n", "a job ran twice"
    return jobs, release, check
