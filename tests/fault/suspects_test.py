"""Jobs that end the machine or the worker they run on are parked within a bounded number of machines; those beside them are not."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import shell, stack, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402
from protocol import ProtocolWorker, add_inert_pool  # noqa: E402

NOTHING = {"failures": 0, "infra": 0, "interruptions": 0}

# What is above the job's shell: the runner of its attempt, and the worker's main loop. Neighbours' runners are the main loop's
# other children.
MAIN = "read -r _ _ _ main _ < /proc/$PPID/stat; "
BREAKS = {
    "the worker, and every runner with it": MAIN + 'kill -9 $(ps -o pid= --ppid "$main"); kill -9 "$main"; sleep 60',
    "the worker, by a signal that it heeds": MAIN + 'kill -TERM "$main"; sleep 60',
    "the machine, whose program it is": MAIN + 'kill -9 "$main"; sleep 60',
}


def machines(drover):
    return int(drover.postgres.sql("SELECT count(*) FROM worker"))


@pytest.mark.parametrize("what", BREAKS)
def test_a_job_that_ends_its_worker_again_and_again_is_parked_and_its_neighbours_are_not(what):
    with stack(pool={"max": 3, "slots": 4}) as drover:  # all else as shipped
        ledger = Ledger(drover)
        beside = ledger.submit([shell("sleep 3; echo fine", name=f"beside {i}", retry={"max_attempts": 1}) for i in range(6)]).json
        poison = ledger.submit(shell(BREAKS[what], name="ends its worker", priority=1)).json
        parked = drover.wait_state(poison["id"], "failed", "succeeded")
        attempts = drover.attempts(poison["id"])
        assert parked["reason"].startswith("poison: its attempts broke on 3 different workers"), (parked, attempts)
        assert {one["outcome"] for one in attempts} == {"infra"}, attempts
        assert len(attempts) <= 4, "once with others, three times alone"
        assert parked["suspect"] is None
        for job in beside:
            done = drover.wait_state(job["id"], "succeeded", "failed")
            assert done["state"] == "succeeded" and done["counters"]["failures"] == 0, (done, drover.attempts(job["id"]))
        # Four that it ended, what replaced them, and one each for those that ran alone after the first break.
        assert machines(drover) <= 4 + 3, drover.postgres.sql("SELECT instance_id, state, reason FROM worker ORDER BY id")
        common_end(drover, ledger)


@pytest.fixture(scope="module")
def drover():
    with stack(settings={"heartbeat_interval_s": 1, "reconcile_interval_s": 1}) as running:
        yield running


def pool_of(drover, name, count, slots=4):
    return [ProtocolWorker(drover, one, slots=slots).register() for one in add_inert_pool(drover, name, count, slots=slots)]


def lose(drover, *workers, reason="Client.InstanceInitiatedShutdown"):
    for worker in workers:
        drover.cloud.control("POST", f"/instances/{worker.instance}/kill", {"reason": reason})
    for worker in workers:
        wait_for(lambda worker=worker: drover.call("GET", f"/workers/{worker.instance}").json["state"] == "gone",
                 "the machine to be lost")


def beat(claimed, worker):
    """Keeps the attempts of a worker alive while others do something."""
    assert worker.beat(*claimed).status == 200


def test_what_broke_together_runs_alone_next_across_a_restart_and_is_charged_for_nothing(drover):
    ledger = Ledger(drover)
    first, busy, empty = pool_of(drover, "together", 3)
    held = ledger.submit(shell("true", queue="together")).json
    kept = busy.claim(wait_s=10)
    assert [one["number"] for one in kept] == [held["number"]]
    jobs = ledger.submit([shell("true", queue="together") for _ in range(3)]).json
    numbers = [job["number"] for job in jobs]
    broken = first.claim(slots=3, wait_s=10)
    assert sorted(one["number"] for one in broken) == numbers
    lose(drover, first)
    for number in numbers:
        job = drover.job(number)
        assert job["counters"] == {**NOTHING, "infra": 1} and job["suspect"] == {"alone_s": 60, "charges": 0}, job

    # Due again after a second; but not for a worker that has something.
    wait_for(lambda: drover.postgres.sql("SELECT count(*) FROM jobs WHERE queue = 'together' AND state = 'queued' "
                                         "AND alone_s > 0 AND wake_at IS NULL") == "3", "the three to be due")
    explained = drover.call("GET", f"/jobs/{numbers[0]}/explain").json
    assert "suspect" in [reason["code"] for reason in explained["reasons"]], explained
    beat(kept, busy)
    assert busy.claim(slots=3) == []
    drover.kill_daemon()
    drover.start_daemon()
    assert busy.claim(slots=3) == [], "a suspect is one across a restart"
    alone = empty.claim(slots=4, wait_s=10)
    assert [one["number"] for one in alone] == numbers[:1], "one, though it has room for four"
    other = ledger.submit(shell("true", queue="together")).json
    assert empty.claim(slots=3, wait_s=1) == [], "and nothing beside it"
    drover.kill_daemon()
    drover.start_daemon()
    assert empty.claim(slots=3, wait_s=1) == [], "nor after a restart amid its run"
    taken = busy.claim(slots=3, wait_s=5)
    assert [one["number"] for one in taken] == [other["number"]], "which others may have"

    assert empty.try_report(alone[0]).status == 200
    second = empty.claim(slots=4, wait_s=5)
    assert [one["number"] for one in second] == numbers[1:2]
    # Its own failure clears it, whatever it is suspected of.
    assert empty.try_report(second[0], body={"outcome": "failure", "exit_code": 1}).status == 200
    assert drover.job(numbers[1])["suspect"] is None
    third = empty.claim(slots=4, wait_s=5)
    assert [one["number"] for one in third] == numbers[2:]
    lose(drover, empty)
    assert drover.job(numbers[2])["suspect"] == {"alone_s": 60, "charges": 1}, "this end it met alone"
    for one in [*kept, *taken]:
        assert busy.try_report(one).status == 200
    (last,) = busy.claim(slots=4, wait_s=10)
    assert last["number"] == numbers[2] and busy.try_report(last).status == 200
    assert drover.job(numbers[2])["state"] == "succeeded"
    common_end(drover, ledger, fleet=False)


def test_attempts_given_back_one_by_one_broke_together(drover):
    ledger = Ledger(drover)
    (worker,) = pool_of(drover, "stopped", 1)
    jobs = ledger.submit([shell("true", queue="stopped") for _ in range(2)]).json
    one, two = worker.claim(slots=2, wait_s=10)
    assert worker.try_report(one, "release").status == 200
    beat([two], worker)  # the second job takes its time to save what it has
    assert worker.try_report(two, "release").status == 200
    for job in jobs:
        assert drover.job(job["id"])["suspect"] == {"alone_s": 60, "charges": 0}
    for job in jobs:
        (again,) = worker.claim(slots=2, wait_s=10)
        assert again["number"] == job["number"] and worker.try_report(again).status == 200
    common_end(drover, ledger, fleet=False)


def test_more_machines_lost_at_once_than_the_freeze_allows_make_no_suspects(drover):
    ledger = Ledger(drover)
    workers = pool_of(drover, "many", 5, slots=2)
    drover.submit([shell("true", queue="many", name=f"of many {i}") for i in range(10)])
    claimed = {worker: worker.claim(slots=2, wait_s=10) for worker in workers}
    # All of them in one look at the cloud.
    assert drover.call("PATCH", "/config", {"reconcile_interval_s": 30}).status == 200
    drover.rounds(1)
    for worker in workers:
        drover.cloud.control("POST", f"/instances/{worker.instance}/kill", {"reason": "Client.InstanceInitiatedShutdown"})
    drover.submit(shell("true", queue="default"))  # wakes the loop
    assert drover.call("PATCH", "/config", {"reconcile_interval_s": 1}).status == 200
    for worker, attempts in claimed.items():
        for attempt in attempts:
            job = wait_for(lambda number=attempt["number"]: (lambda it: it if it["state"] != "running" else None)(drover.job(number)),
                           "its loss to be seen")
            assert job["counters"] == {**NOTHING, "infra": 1} and job["suspect"] is None, job
        drover.call("POST", f"/jobs/{attempts[0]['number']}/cancel")
    common_end(drover, ledger, fleet=False)
