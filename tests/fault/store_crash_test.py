"""The daemon and PostgreSQL killed under load, and the connection between them cut as COMMIT passes: what was acknowledged is
in the store, once, and nobody has to start anything but what was killed."""
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from clients import Clients, is_stopped  # noqa: E402
from harness import PATIENCE, PG_BIN, shell, stack, try_call, wait_for  # noqa: E402
from ledger import Ledger, check_fleet, common_end  # noqa: E402

SOAK = bool(os.environ.get("DROVER_SOAK"))
SETTINGS = {"heartbeat_interval_s": 1, "reconcile_interval_s": 1, "max_launches_per_minute": 10_000}
COMMIT = b"Q\0\0\0\x0bCOMMIT\0"  # the message as it goes over the wire: a simple query, sent alone


class Storm:
    """Clients that submit as fast as they are answered, until the end of the block."""

    def __init__(self, ledger, clients=8):
        self.ledger, self.over = ledger, threading.Event()
        self.odd = []  # neither acknowledged nor told to come back later
        self.later = 0  # told to come back later
        self.threads = [threading.Thread(target=self.run, args=(f"storm-{uuid.uuid4().hex[:6]}-{i}",), daemon=True)
                        for i in range(clients)]

    def run(self, name):
        count = 0
        while not self.over.is_set():
            count += 1
            answer = self.ledger.submit(shell("true", name=f"{name}-{count}", queue="nobody"))
            if answer is None or answer.status == 503:
                if answer is not None and int(answer.headers.get("retry-after", 0)) >= 1:
                    self.later += 1
                elif answer is not None:
                    self.odd.append(answer)
                time.sleep(0.02)
            elif answer.status != 201:
                self.odd.append(answer)

    def acknowledged(self, more):
        """Waits for so many acknowledgements from now on."""
        start = len(self.ledger.jobs)
        wait_for(lambda: len(self.ledger.jobs) >= start + more, f"{more} more acknowledgements")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=PATIENCE)


@pytest.fixture(name="drover", scope="module")
def make_drover():
    with stack(pool={"max": 1, "slots": 1}, settings=SETTINGS) as running:
        assert running.postgres.sql("SHOW fsync") == "on" and running.postgres.sql("SHOW synchronous_commit") == "on"
        yield running


def test_the_daemon_killed_again_and_again_amid_a_storm_of_submissions(drover):
    ledger = Ledger(drover)
    start = time.monotonic()
    with Storm(ledger) as storm:
        for _ in range(50 if SOAK else 15):
            storm.acknowledged(100)
            drover.kill_daemon()
            drover.start_daemon()
        storm.acknowledged(100)
    took = time.monotonic() - start
    stored = int(drover.postgres.sql("SELECT count(*) FROM jobs WHERE name LIKE 'storm-%'"))
    print(f"{len(ledger.jobs)} acknowledged in {took:.0f} s, {ledger.unknown} without an answer, {stored} stored")
    assert ledger.unknown > 0 and not storm.odd, storm.odd[:3]
    assert stored <= len(ledger.jobs) + ledger.unknown, "more than was submitted"
    common_end(drover, ledger)


def test_postgresql_killed_under_load(drover):
    ledger = Ledger(drover)
    with Storm(ledger) as storm:
        for _ in range(10 if SOAK else 3):
            storm.acknowledged(200)
            drover.postgres.kill()
            later = storm.later
            wait_for(lambda at=later: storm.later >= at + 20, "503 with Retry-After while the store is away")
            assert drover.call("GET", "/healthz").status == 200 and drover.call("GET", "/readyz").status == 503
            drover.postgres.start()
        storm.acknowledged(200)
    assert not storm.odd, storm.odd[:3]
    assert drover.daemon.poll() is None, "nobody had to start the daemon anew"
    common_end(drover, ledger)


@pytest.mark.parametrize("step", ["written", "sent"])
def test_postgresql_killed_with_a_commit_on_its_way(drover, step):
    """The daemon stands still just before or just after COMMIT leaves it, while PostgreSQL dies and recovers: what it
    remembers of the transaction, if anything, is all that can be known."""
    ledger, name, logged = Ledger(drover), f"on-its-way-{step}", len(drover.daemon_log())
    drover.kill_daemon()
    drover.env = {"DROVER_FAILPOINT": f"stop@commit.insert_jobs.{step}:1"}
    drover.start_daemon()
    drover.env = {}
    client = threading.Thread(target=ledger.submit, args=([shell("true", name=name, queue="nobody")] * 3,))
    client.start()
    wait_for(lambda: is_stopped(drover.daemon), "the daemon to stand still")
    drover.postgres.kill()
    drover.postgres.start()
    drover.daemon.send_signal(signal.SIGCONT)
    client.join(timeout=PATIENCE)
    if step == "written":  # otherwise the reply may have come before the death
        assert "was not committed" in drover.daemon_log()[logged:]
    assert len(ledger.jobs) == 3 and drover.postgres.sql(f"SELECT count(*) FROM jobs WHERE name = '{name}'") == "3"
    common_end(drover, ledger)


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["immediate", "fast"])
def test_postgresql_restarted_amid_open_transactions(drover, how):
    ledger = Ledger(drover)
    with Storm(ledger) as storm:
        storm.acknowledged(50)
        lock = "BEGIN; SELECT FROM jobs LIMIT 1 FOR UPDATE; SELECT pg_sleep(600)"
        with subprocess.Popen([f"{PG_BIN}/psql", "-X", "-q", "-h", drover.postgres.directory, "-U", "drover", "-d", "drover",
                               "-c", lock], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            wait_for(lambda: drover.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT FROM%' "
                                                 "AND state = 'active'") == "1", "a transaction to be open")
            for _ in range(20):  # the pool of readers, full
                try_call(drover.port, "GET", "/jobs?limit=1")
            drover.postgres.stop(how)
        drover.postgres.start()
        start = time.monotonic()
        storm.acknowledged(1)
        healed = time.monotonic() - start
        for _ in range(20):
            read = drover.call("GET", "/jobs?limit=1")
            assert read.status == 200, read
    print(f"healed within {healed:.1f} s")
    assert not storm.odd, storm.odd[:3]
    common_end(drover, ledger)


class Doubt(Clients):
    """Cuts the writer's connection as the COMMIT of a change passes."""

    def __init__(self, drover):
        self.trace = f"{drover.base}/passed"
        super().__init__(drover)

    def steps(self):
        with open(self.trace, encoding="utf-8") as trace:
            return trace.read().split()

    def cut(self, how, skip=0):
        """At the next commit, or at the one after `skip` more."""
        self.passed = len(self.steps())
        self.resolved = self.resolutions()
        self.drover.gates["store"].cut_when(COMMIT, answered=how == "answered", arrives=how != "lost", skip=skip)

    def resolutions(self):
        """How often the fate of a transaction was asked for, by what it was."""
        log = self.drover.daemon_log()
        return {fate: len(re.findall(rf"transaction \S+ {words}", log))
                for fate, words in (("committed", "was committed"), ("lost", "was not committed"))}

    def check(self, command, how):
        """That it was this command's commit, that it was in doubt, and how that ended."""
        def resolved():
            now = self.resolutions()
            return {fate for fate in now if now[fate] > self.resolved[fate]}
        fates = wait_for(resolved, "a doubt to be resolved")
        steps = self.steps()[self.passed:]
        assert f"commit.{command}.sent" in steps, (command, steps)
        replied = steps.index(f"commit.{command}.replied")
        assert steps[replied + 1:replied + 2] != [f"commit.{command}.applied"], f"{command} was not in doubt: {steps}"
        if how != "delivered":  # then it may have been either
            assert fates == ({"lost"} if how == "lost" else {"committed"}), fates
        self.drover.gates["store"].heal()
        self.ledger.check()


@pytest.fixture(name="doubt", scope="module")
def make_doubt():
    with stack(pool={"max": 1, "slots": 1}, settings=SETTINGS, gates=("store",)) as running:
        running.kill_daemon()
        running.env = {"DROVER_FAILPOINT_TRACE": f"{running.base}/passed"}
        running.start_daemon()
        doubt = Doubt(running)
        doubt.register_all(doubt.resize(4))
        yield doubt
        common_end(running, doubt.ledger)


HOW = pytest.mark.parametrize("how", ["answered", "delivered", "lost"])


@HOW
def test_submit_in_doubt(doubt, how):
    doubt.cut(how)
    answer = doubt.ledger.submit([shell("true", name=f"doubted-{how}", queue="nobody")] * 3)
    assert answer is not None and answer.status == 201, "the one try is answered, once the doubt is over"
    doubt.check("insert_jobs", how)
    assert doubt.drover.postgres.sql(f"SELECT count(*) FROM jobs WHERE name = 'doubted-{how}'") == "3"


@HOW
def test_claim_and_finish_in_doubt(doubt, how):
    worker, nonce = doubt.worker(), uuid.uuid4().hex
    job = doubt.submit()
    doubt.cut(how)
    (attempt,) = doubt.claimed(worker, nonce)
    doubt.check("claim_job", how)
    assert attempt["number"] == job["number"] and attempt["attempt"] == 1
    assert doubt.claimed(worker, nonce) == [attempt], "asked again, the same attempt"
    doubt.cut(how)
    assert doubt.report(worker, attempt)["state"] == "succeeded"
    doubt.check("end_attempt", how)
    assert doubt.report(worker, attempt) == {"state": "succeeded", "repeated": True}
    assert doubt.attempts(attempt) == ["succeeded"]


@HOW
@pytest.mark.parametrize("command", ["insert_launch", "record_launch"])
def test_launch_in_doubt(doubt, command, how):
    before = doubt.resize(doubt.size)
    doubt.cut(how, skip=["put_pool", "insert_launch", "record_launch"].index(command))
    after = doubt.resize(doubt.size + 1)
    doubt.check(command, how)
    assert len(after - before) == 1
    check_fleet(doubt.drover)
    doubt.register_all(after)


@HOW
def test_cordon_in_doubt(doubt, how):
    before = doubt.resize(doubt.size)
    doubt.cut(how, skip=1)  # the first is the pool's own
    after = doubt.resize(doubt.size - 1)
    doubt.check("move_worker", how)
    assert len(before - after) == 1
    check_fleet(doubt.drover)
    doubt.register_all(after)
