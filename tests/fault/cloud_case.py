"""What the tests of a cloud that errs, lies or attacks share: a busy fleet, and the judgement that nothing of it moved."""
import contextlib
import re

from harness import Stack, shell, wait_for
from ledger import Ledger
from liar import Liar

# As impatient as it can be set: whatever is decided too early is decided at once.
SETTINGS = {"heartbeat_interval_s": 1, "notice_poll_s": 60, "reconcile_interval_s": 1, "lease_s": 10,
            "missing_listings": 1, "missing_s": 0, "freeze_min": 1, "freeze_share": 0.0}
MACHINES = 3


@contextlib.contextmanager
def lied_to():
    """A stack whose way to the cloud leads through a gate and a liar, with a fleet that runs jobs: .jobs, .machines."""
    running = Stack(pool={"min": MACHINES, "max": MACHINES, "slots": 2}, settings=SETTINGS, gates=("cloud",))
    running.liar = Liar(running.gates["cloud"].target[1])
    running.gates["cloud"].target = ("127.0.0.1", running.liar.port)
    running.ledger = Ledger(running)
    try:
        wait_for(lambda: workers(running).count("active") == MACHINES, "the fleet to register")
        running.jobs = running.submit([shell(f'while [ ! -e "{running.base}/end" ]; do sleep 0.3; done')
                                       for _ in range(MACHINES)])
        for job in running.jobs:
            running.wait_state(job["id"], "running")
        running.machines = {one["id"] for one in running.cloud.instances("running")}
        yield running
        open(f"{running.base}/end", "w", encoding="utf-8").close()
    finally:
        running.close()
        running.liar.close()


def workers(drover, pool="default"):
    return [one["state"] for one in drover.call("GET", "/workers").json if one["pool"] == pool]


def machines_of(drover, pool):
    """All instances that a pool ever had."""
    return [one for one in drover.cloud.instances() if one["tags"].get("drover:pool") == pool]


def honesty(drover):
    drover.liar.say = None
    drover.gates["cloud"].heal()
    drover.cloud.control("DELETE", "/faults")
    drover.cloud.control("POST", "/throttle", {"action": "*", "off": True})


@contextlib.contextmanager
def nothing_moves(drover):
    """What runs before runs on, in its first attempt, on the machines that were there, during what happens inside and after."""
    def check():
        for job in drover.jobs:
            now = drover.job(job["id"])
            assert now["state"] == "running" and now["attempts"] == 1, (now, drover.attempts(job["id"]))
        assert workers(drover) == ["active"] * MACHINES
        assert {one["id"] for one in machines_of(drover, "default")} == drover.machines
        assert drover.job(drover.submit(shell("true"))["id"])["state"] in ("queued", "running", "succeeded")
    try:
        yield
        check()
    finally:
        honesty(drover)
    sees(drover)
    check()


def sees(drover):
    """Waits for one whole look at the cloud."""
    def looked():
        return drover.metric('drover_reconcile_ticks_total{outcome="ok"}')
    start = looked()
    wait_for(lambda: looked() > start, "the daemon to see the cloud again", every=0.05)


def status(drover):
    return drover.call("GET", "/status").json


def told(drover, text):
    """Waits until /status gives the cloud's error in these words."""
    return wait_for(lambda: (error := status(drover)["cloud_error"]) and re.search(text, error) and error,
                    f"/status to tell {text}", every=0.05)


def add_pool(drover, name, **members):
    pool = {"name": name, "max": 1, "slots": 1, "image": "ami-local", "instance_types": ["local.small"],
            "idle_timeout_s": 3, **members}
    assert drover.call("POST", "/pools", pool).status == 201


def wanting(drover, name, **members):
    """A job that needs a machine not there yet: of a pool of its own."""
    add_pool(drover, name, **members)
    return drover.ledger.submit(shell("echo ran", queue=name, name=name)).json


def ran_on_one_machine(drover, job, pool):
    done = drover.wait_state(job["id"], "succeeded", "failed")
    assert done["state"] == "succeeded" and done["attempts"] == 1, drover.attempts(job["id"])
    assert len(machines_of(drover, pool)) == 1, machines_of(drover, pool)
