"""The store and the workers' way to the daemon fail in every way that a connection can: work in progress goes on."""
import concurrent.futures
import contextlib
import os
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from gate import DOWN, UP  # noqa: E402
from harness import PATIENCE, Stack, shell, try_call, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402

LEASE_S = 6
SETTINGS = {"heartbeat_interval_s": 1, "notice_poll_s": 60, "reconcile_interval_s": 1, "lease_s": LEASE_S}


@pytest.fixture(scope="module")
def drover():
    running = Stack(pool={"max": 2, "slots": 4}, settings=SETTINGS, config={"store": {"takeover_s": 2}},
                    gates=("store", "worker"))
    running.ledger = Ledger(running)
    try:
        yield running
    finally:
        running.close()


class Work:
    """Jobs that run until their file appears; what became of them is asked at the end."""

    def __init__(self, drover, name, count):
        self.drover = drover
        self.mark = f"{drover.base}/{name}"
        text = (f'touch "{self.mark}-$DROVER_JOB_NUMBER"; while [ ! -e "{self.mark}" ]; do sleep 0.2; done; '
                'echo "ran $DROVER_ATTEMPT"')
        specs = [shell(text, name=f"{name}-{i}") for i in range(count)]
        self.jobs = drover.ledger.submit(specs).json
        for job in self.jobs:  # on its machine, not only claimed
            wait_for(lambda: os.path.exists(f"{self.mark}-{job['number']}"), f"{name} to run")

    def end(self):
        """From now on they end, and their workers try to say so."""
        with open(self.mark, "w", encoding="utf-8"):
            pass

    def check(self):
        """All have succeeded, each in its first attempt."""
        for job in self.jobs:
            done = self.drover.wait_state(job["id"], "succeeded", "failed")
            assert done["state"] == "succeeded" and done["attempts"] == 1, (done, self.drover.attempts(job["id"]))
            assert self.drover.log_of(job["id"]) == "ran 1\n"


@contextlib.contextmanager
def kept_work(drover, name):
    """Two jobs run before what happens inside; one ends during it, one only afterwards; both count once, on the same machines."""
    gates = drover.gates.values()
    machines = {one["id"] for one in drover.cloud.instances()}
    ending, staying = Work(drover, f"{name}-ending", 1), Work(drover, f"{name}-staying", 1)
    machines = machines or {one["id"] for one in drover.cloud.instances()}
    try:
        yield ending
    finally:
        for gate in gates:
            gate.heal()
    drover.wait_ready()
    wait_for(lambda: drover.call("GET", "/jobs/1").status == 200, "reads to be served again")
    ending.check()
    staying.end()
    staying.check()
    assert {one["id"] for one in drover.cloud.instances()} == machines, "an instance more than needed, or one less"


def refused_in_time(drover, stop):
    """What clients are told while the store is away, however long: 503, with word when to come again."""
    def ask(method, path, body=None):
        answer = drover.call(method, path, body, timeout=PATIENCE)
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1, (method, path, answer)
    with concurrent.futures.ThreadPoolExecutor() as several:
        asked = [several.submit(ask, "POST", "/jobs", shell("true")), several.submit(ask, "GET", "/jobs/1")]
        asked += [several.submit(ask, "GET", f"/jobs?limit={limit}") for limit in range(1, 13)]  # three for each reader
        wait_for(lambda: (alive(drover) or pytest.fail("/healthz fell silent")) and stop() and all(one.done() for one in asked),
                 "answers, and the time", every=0.2)
        for one in asked:
            one.result()
    unready = wait_for(lambda: (answer := drover.call("GET", "/readyz")).status == 503 and answer,
                       "/readyz to tell")
    assert int(unready.headers["retry-after"]) >= 1


def alive(drover):
    answer = try_call(drover.port, "GET", "/healthz")
    return answer is not None and answer.status == 200


def seconds_pass(seconds):
    """True once so much time has passed: for what must not happen meanwhile."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


STORE_FAULTS = {
    "slow": lambda gate: gate.delay(0.3),
    "dripping": lambda gate: gate.drip(3000),
    "deaf-for-a-moment": lambda gate: gate.hold(UP),
    "mute-for-a-moment": lambda gate: gate.hold(DOWN),
    "cut-at-once": lambda gate: gate.cut_after(0),
    "cut-in-the-preparing": lambda gate: gate.cut_after(1500),
    "cut-in-the-boot": lambda gate: gate.cut_after(9000),
    "cut-on-the-way-there": lambda gate: gate.cut_after(700, UP),
}


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_no_fault_of_the_connection_to_the_store_reruns_a_job(drover, fault):
    epoch = drover.metric("drover_leader_epoch")
    with kept_work(drover, fault) as ending:
        STORE_FAULTS[fault](drover.gates["store"])
        ending.end()
        lasted = seconds_pass(1.5)
        wait_for(lambda: (alive(drover) or pytest.fail("/healthz fell silent")) and lasted(), "the time", every=0.2)
        drover.gates["store"].heal()
    assert drover.metric("drover_leader_epoch") - epoch < 12, "it was tried to lead without a pause"


def away_for_twice_the_lease(drover, name, fault):
    with kept_work(drover, name) as ending:
        over = seconds_pass(2 * LEASE_S)
        fault(drover.gates["store"])
        ending.end()
        refused_in_time(drover, over)


def test_a_store_that_refuses_for_twice_the_lease_reruns_no_job(drover):
    away_for_twice_the_lease(drover, "refusing", lambda gate: gate.refuse())
    common_end(drover, drover.ledger)


def test_a_store_that_hangs_for_twice_the_lease_reruns_no_job_and_is_led_again(drover):
    epoch = drover.metric("drover_leader_epoch")
    away_for_twice_the_lease(drover, "hanging", lambda gate: gate.hold())
    assert drover.metric("drover_leader_epoch") > epoch, "the silent session was not given up"
    common_end(drover, drover.ledger)


WORKER_FAULTS = {
    "refused": lambda gate: gate.refuse(),
    "held": lambda gate: gate.hold(),
    "dripping": lambda gate: gate.drip(400),
    "cut-in-the-head": lambda gate: gate.cut_after(60),
    "cut-on-the-way-there": lambda gate: gate.cut_after(200, UP),
}


@pytest.mark.parametrize("fault", WORKER_FAULTS)
def test_no_fault_of_the_workers_connections_within_the_lease_reruns_a_job(drover, fault):
    with kept_work(drover, f"worker-{fault}") as ending:
        WORKER_FAULTS[fault](drover.gates["worker"])
        ending.end()
        late = drover.ledger.submit(shell("echo late", name=f"late-{fault}")).json  # its claim meets the fault
        wait_for(seconds_pass(LEASE_S / 3), "a third of a lease")
        drover.gates["worker"].heal()
    done = drover.wait_state(late["id"], "succeeded", "failed")
    # Where requests arrive and only answers are lost, its worker reports and does not name it: claimed anew once, as never begun.
    assert done["state"] == "succeeded" and done["counters"]["failures"] == 0 and done["counters"]["infra"] <= 1, done


def test_all_of_it_is_well_at_the_end(drover):
    common_end(drover, drover.ledger)
