"""What workers may do to the daemon, and the network to both: late, lost, repeated and foreign calls change nothing twice."""
import os
import socket
import sys
import threading
import time
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import PATIENCE, call, shell, stack, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402
from protocol import ProtocolWorker, add_inert_pool  # noqa: E402

FAST = {"heartbeat_interval_s": 1, "notice_poll_s": 1, "reconcile_interval_s": 1}
NOTHING = {"failures": 0, "infra": 0, "interruptions": 0}


@pytest.fixture(scope="module")
def drover():
    with stack(settings=FAST, gates=("worker",)) as running:
        yield running


@pytest.fixture(scope="module")
def hands(drover):
    """Three workers that do what the test says, for the queue "hands"; what they hear may be cut off by the gate."""
    return [ProtocolWorker(drover, one, slots=4).register() for one in add_inert_pool(drover, "hands", 4, slots=4)[:3]]


@pytest.fixture()
def ledger(drover):
    """Whatever a test did, it ends as every fault test does."""
    kept = Ledger(drover)
    yield kept
    drover.gates["worker"].heal()
    common_end(drover, kept)


def submit(ledger, **members):
    return ledger.submit(shell("true", queue="hands", **members)).json


def ended(drover, job):
    """How each ended attempt of a job ended, in order."""
    return drover.postgres.sql(f"SELECT outcome FROM attempt WHERE number = {job['number']} ORDER BY attempt").split()


def events(drover, job, kind):
    return int(drover.postgres.sql(f"SELECT count(*) FROM event WHERE job = {job['number']} AND kind = '{kind}'"))


def picture(drover):
    """All that a refused call must not change. A heartbeat's instant is no state of anything."""
    return drover.postgres.sql(
        "SELECT j::text FROM jobs j UNION ALL SELECT l::text FROM lease l UNION ALL SELECT a::text FROM attempt a "
        "UNION ALL SELECT t::text FROM artifact t UNION ALL SELECT concat_ws('|', id, state, token_hash, nonce) FROM worker "
        "ORDER BY 1")


def test_a_zombie_reports_late_and_the_new_attempts_result_stands(drover, hands, ledger):
    dead, live, third = hands

    def requeued():
        for one in (live, third):  # they would be given up as silent too
            one.beat()
        return drover.job(job["id"])["state"] == "queued"
    # One silent machine is more than may be true at once: it is kept, so that its worker can still speak.
    assert drover.call("PATCH", "/config", {"lease_s": 5, "freeze_min": 0, "freeze_share": 0}).status == 200
    try:
        job = submit(ledger, retry={"max_attempts": 3})
        (old,) = dead.claim(wait_s=5)
        wait_for(requeued, "the job of a worker never heard of again to be queued", every=0.5)
    finally:
        drover.call("PATCH", "/config", {"lease_s": 60, "freeze_min": 3, "freeze_share": 0.3})
    (new,) = live.claim(wait_s=5)
    assert (new["number"], new["attempt"]) == (old["number"], 2)

    def late():
        """Everything the first attempt may still say, each refused."""
        before = picture(drover)
        for outcome in ({"outcome": "failure", "exit_code": 3}, {"outcome": "succeeded", "exit_code": 0}, {"outcome": "stopped"}):
            assert dead.try_report(old, body=outcome).status == 409
        assert dead.try_report(old, "release").status == 409
        for method, what in (("POST", "logs/stdout?offset=0"), ("PUT", "artifacts/result")):
            refused = call(drover.port, method, dead.path(old, what), b"from the dead", dead.headers(old))
            assert refused.status == 409, refused
        assert dead.beat(old).json["stop"] == [{"job": old["number"], "attempt": 1}]
        assert picture(drover) == before
    late()
    kept = call(drover.port, "PUT", live.path(new, "artifacts/result"), b"from the living", live.headers(new))
    assert kept.status == 201
    assert live.try_report(new).status == 200
    late()
    assert ended(drover, job) == ["infra", "succeeded"]
    assert drover.job(job["id"])["counters"] == {**NOTHING, "infra": 1}
    assert drover.call("GET", f"/jobs/{job['id']}/artifacts/result").body == b"from the living"


@pytest.mark.parametrize("what, pattern, kind", [("finish", b"/finish", "succeeded"), ("release", b"/release", "infra")])
def test_a_report_whose_reply_is_lost_is_repeated_and_counted_once(drover, hands, ledger, what, pattern, kind):
    worker, gate = hands[0], drover.gates["worker"]
    job = submit(ledger)
    (attempt,) = worker.claim(wait_s=5)
    gate.cut_when(pattern, answered=True)
    assert worker.try_report(attempt, what, port=gate.port) is None, "its reply is lost"
    wait_for(lambda: ended(drover, job), "the report to be stored all the same")
    answers = []
    repeats = [threading.Thread(target=lambda: answers.append(worker.try_report(attempt, what))) for _ in range(10)]
    for one in repeats:
        one.start()
    for one in repeats:
        one.join()
    assert [one.status for one in answers] == [200] * 10, answers
    assert len({one.body for one in answers}) == 1 and answers[0].json["repeated"] is True, answers
    assert ended(drover, job) == [kind] and events(drover, job, kind) == 1
    contrary = {"finish": {"outcome": "failure", "exit_code": 1}, "release": {"outcome": "succeeded", "exit_code": 0}}[what]
    assert worker.try_report(attempt, body=contrary).status == 409, "it was accepted as something else"
    if what == "release":  # also while the next attempt runs, which it does not touch
        (again,) = worker.claim(wait_s=5)
        assert worker.try_report(attempt, what).json["repeated"] is True
        assert worker.try_report(again).status == 200
    assert drover.wait_state(job["id"], "succeeded")["counters"]["infra"] == (1 if what == "release" else 0)


NOTICE = '{"action":"terminate","time":"2026-03-01T12:00:00Z"}'


def test_a_release_is_free_only_when_the_machines_end_was_announced_or_asked_for(drover, ledger):
    """Each on a worker of its own, which says nothing more afterwards."""
    workers = [ProtocolWorker(drover, one, slots=2).register() for one in add_inert_pool(drover, "leaving", 5, slots=2)]
    noticed, beaten, drained, plain, twice = workers

    def attempts(worker, count=1):
        for _ in range(count):
            ledger.submit(shell("true", queue="leaving"))
        claimed = worker.claim(slots=count, wait_s=10)
        assert len(claimed) == count
        return claimed

    def outcome(attempt):
        return drover.postgres.sql(f"SELECT outcome FROM attempt WHERE number = {attempt['number']} "
                                   f"AND attempt = {attempt['attempt']}")
    (one,) = attempts(noticed)
    told = {"reason": "interruption notice", "notice": NOTICE}
    assert noticed.try_report(one, "release", told).status == 200 and outcome(one) == "interruption"
    assert noticed.try_report(one, "release", told).json["repeated"] is True
    known = wait_for(lambda: (lambda it: it if it["notice_until"] else None)(drover.call("GET", f"/workers/{noticed.instance}").json),
                     "the notice to be kept")
    assert known["state"] == "draining" and NOTICE in known["reason"], known
    assert drover.call("POST", f"/workers/{noticed.instance}/activate").status in (404, 409)

    (one,) = attempts(beaten)
    assert beaten.beat(one, notice=NOTICE).json["drain"] is True
    wait_for(lambda: drover.call("GET", f"/workers/{beaten.instance}").json["notice_until"], "the notice to be kept")
    drover.kill_daemon()
    drover.start_daemon()
    assert beaten.try_report(one, "release").status == 200 and outcome(one) == "interruption", "told before, and kept"

    (one,) = attempts(drained)
    assert drover.call("POST", f"/workers/{drained.instance}/drain").status == 200
    assert drained.try_report(one, "release").status == 200 and outcome(one) == "interruption", "a person asked for it"

    # Its jobs are still there when the machine shuts itself down: the cloud calls that the client's doing.
    both = attempts(twice, 2)
    assert twice.beat(*both, notice=NOTICE).status == 200
    drover.cloud.control("POST", f"/instances/{twice.instance}/kill", {"reason": "Client.InstanceInitiatedShutdown"})
    wait_for(lambda: drover.call("GET", f"/workers/{twice.instance}").json["state"] == "gone", "the machine to be lost")
    for attempt in both:
        lost = drover.attempts(attempt["number"])[attempt["attempt"] - 1]
        assert lost["outcome"] == "interruption" and "notice" in lost["reason"], lost
    assert drover.metric('drover_workers_lost_total{outcome="infra"}') == 0

    (one,) = attempts(plain)
    assert plain.try_report(one, "release").status == 200 and outcome(one) == "infra"
    assert drover.call("POST", f"/workers/{plain.instance}/drain").status == 200
    assert plain.try_report(one, "release").json["repeated"] is True, "however it would be classified now"
    for job in drover.call("GET", "/jobs?queue=leaving&state=queued").json:
        drover.call("POST", f"/jobs/{job['number']}/cancel")


def test_a_claim_whose_reply_is_lost_gives_the_same_attempts_to_the_same_nonce(drover, hands, ledger):
    worker, other, gate = hands[0], hands[1], drover.gates["worker"]
    jobs = [submit(ledger) for _ in range(3)]
    nonce = uuid.uuid4().hex
    gate.cut_when(b"/claim", answered=True)
    assert worker.try_claim(nonce, slots=3, wait_s=5, port=gate.port) is None, "its reply is lost"
    wait_for(lambda: drover.postgres.sql(f"SELECT count(*) FROM lease WHERE nonce = '{nonce}'") == "3", "three claims")
    assert other.claim(slots=3) == []
    first, second = worker.claim(nonce, slots=3), worker.claim(nonce, slots=3)
    assert first == second and {one["number"] for one in first} == {one["number"] for one in jobs}
    assert all(one["attempt"] == 1 for one in first)
    for attempt in first:
        assert worker.try_report(attempt).status == 200
    for job in jobs:
        assert ended(drover, job) == ["succeeded"] and events(drover, job, "claimed") == 1
    assert worker.claim(nonce) == [], "what has ended is not given again"


def test_a_claim_whose_worker_is_gone_when_a_job_comes_takes_nothing(drover, hands, ledger):
    worker, other, gate = hands[0], hands[1], drover.gates["worker"]
    polling = threading.Thread(target=worker.try_claim, kwargs={"wait_s": 20, "port": gate.port})
    polling.start()
    wait_for(lambda: gate.links, "the poll to be under way")
    drover.rounds(1)
    gate.cut()
    polling.join()
    job = submit(ledger)
    (attempt,) = other.claim(wait_s=10)
    # A poll that broke in the very moment of the claim gives its attempt back as if it had not been.
    assert attempt["number"] == job["number"]
    assert other.try_report(attempt).status == 200
    assert drover.job(job["id"])["counters"] == NOTHING


def test_an_attempt_that_its_worker_stops_listing_goes_back_to_the_queue(drover, hands, ledger):
    worker, other = hands[0], hands[1]
    kept_job, lost_job = submit(ledger), submit(ledger)
    claimed = {one["number"]: one for one in worker.claim(slots=2, wait_s=5)}
    kept, lost = claimed[kept_job["number"]], claimed[lost_job["number"]]
    assert worker.beat(kept, lost).json["stop"] == []

    def dropped():
        assert worker.beat(kept).json["stop"] == []
        return ended(drover, lost_job)
    # The lease has a minute left: it is the lists that tell.
    assert wait_for(dropped, "the attempt that is not listed to end", every=0.5) == ["infra"]
    assert drover.job(lost_job["id"])["counters"] == {**NOTHING, "infra": 1}, "a failure is the job's own only"
    (again,) = other.claim(wait_s=5)
    assert (again["number"], again["attempt"]) == (lost_job["number"], 2)
    assert worker.beat(kept, lost).json["stop"] == [{"job": lost["number"], "attempt": 1}]
    assert worker.try_report(lost).status == 409
    assert other.try_report(again).status == 200 and worker.try_report(kept).status == 200
    assert ended(drover, kept_job) == ["succeeded"] and ended(drover, lost_job) == ["infra", "succeeded"]


def test_what_a_living_worker_never_had_goes_back_as_it_was_and_the_third_time_in_a_row_as_broken(drover, hands, ledger):
    """A worker that claims, and neither lists the attempt nor calls for it: the answer may have been lost, or the job may be
    ending its runner faster than anybody can tell."""
    worker = hands[0]
    job = submit(ledger, retry={"max_attempts": 1, "max_interruptions": 0})
    for number, end in enumerate(["returned", "returned", "infra"], 1):
        (attempt,) = worker.claim(wait_s=10)
        assert (attempt["number"], attempt["attempt"]) == (job["number"], number)
        before = drover.job(job["id"])

        def ends():
            assert worker.beat().status == 200
            return len(ended(drover, job)) == number
        wait_for(ends, "the attempt that is never listed to end", every=0.5)
        assert ended(drover, job)[-1] == end
        assert worker.try_report(attempt).status == 409
        after = drover.job(job["id"])
        if end == "returned":
            assert after["counters"] == NOTHING and after["reason"] == before["reason"] and after["exit_code"] is None, after
        else:
            assert after["counters"] == {**NOTHING, "infra": 1}, after
    (attempt,) = worker.claim(wait_s=10)
    assert worker.try_report(attempt).status == 200


def test_a_registration_whose_reply_is_lost_is_repeated_and_no_other_takes_its_place(drover, hands, ledger):
    taken = {one.instance for one in hands}
    pool = [one for one in drover.call("GET", "/workers?limit=1000").json if one["pool"] == "hands"]
    (spare,) = [one for one in drover.cloud.instances("running")
                if one["id"] not in taken and one["id"] in {known["instance_id"] for known in pool}]
    worker, gate = ProtocolWorker(drover, spare), drover.gates["worker"]
    gate.cut_when(b"/workers/register", answered=True)
    assert worker.try_register(port=gate.port) is None, "its reply is lost"
    worker.register()
    assert worker.try_register().json["token"] == worker.token, "the same nonce, the same token"
    before = picture(drover)
    # The bootstrap token lies in user data, where every job of the machine may read it: it gives nothing a second time.
    for refused, allowed in ((worker.try_register(nonce=uuid.uuid4().hex), {409}),
                             (worker.try_register(instance_id=hands[0].instance, nonce=uuid.uuid4().hex), {409}),
                             (worker.try_register(instance_id="i-0123456789abcdef0"), {503}),  # not (yet) of this launch
                             (worker.try_register(bootstrap="0" * 64), {401})):
        assert refused.status in allowed, refused
    assert picture(drover) == before
    assert worker.beat().status == 200, "its own token works on"


def test_tokens_of_others_open_nothing(drover, hands, ledger):
    mine, other = hands[0], hands[1]
    jobs = [submit(ledger) for _ in range(2)]
    (attempt,) = mine.claim(wait_s=5)
    (others,) = other.claim(wait_s=5)
    before = picture(drover)

    def refused(method, path, body, headers, *statuses):
        answer = call(drover.port, method, path, body, headers)
        assert answer.status in statuses, (method, path, headers, answer)
        assert attempt["token"] not in answer.text and others["token"] not in answer.text

    finish = {"outcome": "succeeded", "exit_code": 0}
    claim = {"nonce": "n", "slots": 1, "wait_s": 0}
    bearer = {"Authorization": f"Bearer {mine.token}"}
    for wrong in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {mine.token[:-1]}"}, other.headers(),
                  {"Authorization": f"Bearer {mine.bootstrap}"}, {"Authorization": f"Bearer {mine.id}."},
                  {"Authorization": f"Basic {mine.token}"}):
        refused("POST", f"/workers/{mine.id}/claim", claim, wrong, 401)
        refused("POST", f"/workers/{mine.id}/heartbeat", {"attempts": []}, wrong, 401)
    for what, body in (("finish", finish), ("release", {}), ("logs/stdout?offset=0", b"x"), ("artifacts/a", b"x")):
        method = "PUT" if what.startswith("artifacts") else "POST"
        path, token = mine.path(attempt, what), {"X-Drover-Attempt-Token": attempt["token"]}
        refused(method, path, body, bearer, 401)  # no attempt token
        refused(method, path, body, token, 401)  # no worker token
        refused(method, path, body, {**bearer, "X-Drover-Attempt-Token": others["token"]}, 409)  # another attempt's
        refused(method, path, body, {**bearer, "X-Drover-Attempt-Token": mine.token}, 409)
        refused(method, path, body, {**other.headers(), **token}, 401, 409)  # another worker's
        refused(method, path, body, {"Authorization": "Bearer 999999." + "0" * 64, **token}, 401, 409)  # nobody's
        refused(method, f"/jobs/{attempt['number']}/attempts/2/{what}", body, {**bearer, **token}, 409)  # not begun
        refused(method, f"/jobs/{others['number']}/attempts/1/{what}", body, {**bearer, **token}, 409)  # another job
        refused(method, f"/jobs/999999/attempts/1/{what}", body, {**bearer, **token}, 404, 409)
    stop = call(drover.port, "POST", f"/workers/{mine.id}/heartbeat", {"attempts": [
        {"job": others["number"], "attempt": 1, "token": others["token"]},
        {"job": attempt["number"], "attempt": 1, "token": others["token"]}]}, bearer).json["stop"]
    assert {(one["job"], one["attempt"]) for one in stop} == {(others["number"], 1), (attempt["number"], 1)}
    assert picture(drover) == before
    assert mine.try_report(attempt).status == 200 and other.try_report(others).status == 200
    for job in jobs:
        assert ended(drover, job) == ["succeeded"]


def test_an_upload_of_no_worker_is_refused_before_its_body(drover, hands, ledger):
    worker, job = hands[0], submit(ledger)
    (attempt,) = worker.claim(wait_s=5)
    spool = f"{drover.base}/artifacts/spool"
    assert os.path.isdir(spool)

    def announce(path, method, headers):
        """Sends the head of a large upload and no byte of it; the status that comes all the same."""
        text = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", drover.port), timeout=PATIENCE) as peer:
            peer.sendall(text.encode() + b"\r\n")
            if "Authorization" in headers and headers["Authorization"] == worker.headers()["Authorization"]:
                wait_for(lambda: os.listdir(spool) or "logs" in path, "the known worker's body to be awaited")
                return None
            return peer.recv(100).split()[1].decode()
    for method, what in (("PUT", "artifacts/a"), ("POST", "logs/stdout?offset=0")):
        path = worker.path(attempt, what)
        for wrong in ({}, {"Authorization": f"Bearer {worker.token[:-1]}"}, {"Authorization": f"Bearer {worker.bootstrap}"},
                      {"Authorization": "Bearer 999999." + "0" * 64}):
            assert announce(path, method, {**worker.headers(attempt), "Authorization": "", **wrong}) == "401"
            assert os.listdir(spool) == []
        assert announce(path, method, worker.headers(attempt)) is None
        wait_for(lambda: os.listdir(spool) == [], "what a broken upload left to be removed")
    assert worker.try_report(attempt).status == 200
    assert ended(drover, job) == ["succeeded"]


def test_a_terminated_workers_tokens_open_nothing(drover, hands, ledger):
    worker, other = hands[2], hands[0]
    job = submit(ledger)
    (attempt,) = worker.claim(wait_s=5)
    assert drover.call("POST", f"/workers/{worker.instance}/terminate").status == 200
    wait_for(lambda: ended(drover, job) == ["interruption"], "its attempt to end")
    wait_for(lambda: drover.call("GET", f"/workers/{worker.instance}").json["state"] == "gone", "the worker to be gone")
    (again,) = other.claim(wait_s=5)
    before = picture(drover)
    assert worker.try_claim().status == 401
    assert worker.beat(attempt).status == 401
    assert worker.try_report(attempt).status in (401, 409)
    assert worker.try_register().status in (401, 409)
    put = call(drover.port, "PUT", worker.path(attempt, "artifacts/a"), b"x", worker.headers(attempt))
    assert put.status in (401, 409)
    assert picture(drover) == before
    assert other.try_report(again).status == 200
    assert drover.job(job["id"])["counters"] == {**NOTHING, "interruptions": 1}


# ---- real workers

AWAY = 600 if os.environ.get("DROVER_SOAK") else 14  # seconds; a lease is 5, a worker's longest pause between two tries 15

# Writes a numbered line every tenth of a second until the test says stop, and 3 MiB at once in the middle of the absence.
TALKER = """
i=0
while [ ! -e "{flags}/stop" ]; do
  i=$((i + 1)); echo "line $i"
  if [ -e "{flags}/away" ] && [ -z "$big" ]; then big=1; head -c 3145728 /dev/zero | tr '\\0' x; echo; fi
  sleep 0.1
done
echo "last $i"
"""


def test_the_daemon_is_away_far_beyond_the_lease_and_no_job_runs_twice():
    with stack(pool={"max": 3, "slots": 3}, settings={**FAST, "lease_s": 5, "max_launches_per_minute": 100}) as drover:
        ledger = Ledger(drover)
        flags = f"{drover.base}/flags"
        os.mkdir(flags)
        runs = f'echo "$DROVER_JOB_NUMBER $DROVER_ATTEMPT" >> "{flags}/runs"; '

        def until(flag):
            return f'while [ ! -e "{flags}/{flag}" ]; do sleep 0.1; done; '
        talker = ledger.submit(shell(runs + TALKER.format(flags=flags), name="talks all the while")).json
        ends = ledger.submit([shell(runs + until("away") + f"sleep {i}; echo done; echo kept > $DROVER_ARTIFACT_DIR/kept",
                                    name=f"ends while nobody listens {i}") for i in range(4)]).json
        runs_on = ledger.submit(shell(runs + until("stop") + "echo done", name="ends afterwards")).json
        jobs = [talker, *ends, runs_on]
        for job in jobs:
            drover.wait_state(job["id"], "running")
        wait_for(lambda: "line 5" in drover.log_of(talker["id"]), "the log of the talker")
        # One more machine boots while nobody is there to give it its program.
        later = ledger.submit([shell(runs + "echo done", name=f"on the machine that boots meanwhile {i}")
                               for i in range(4)]).json
        wait_for(lambda: len(drover.cloud.instances("pending", "running")) == 3, "a machine for the jobs that wait", every=0.005)
        drover.kill_daemon()
        with open(f"{flags}/away", "w", encoding="utf-8"):
            pass
        time.sleep(AWAY)  # the absence itself
        drover.start_daemon()
        for job in ends:
            drover.wait_state(job["id"], "succeeded")
        drover.rounds(6)  # what was still running is kept beyond the term that a return gives
        assert drover.job(talker["id"])["state"] == drover.job(runs_on["id"])["state"] == "running"
        with open(f"{flags}/stop", "w", encoding="utf-8"):
            pass
        for job in [*jobs, *later]:
            done = drover.wait_state(job["id"], "succeeded", "failed")
            assert done["state"] == "succeeded" and done["attempts"] == 1 and done["counters"] == NOTHING, done
        with open(f"{flags}/runs", encoding="utf-8") as lines:
            assert sorted(lines.read().splitlines()) == sorted(f"{job['number']} 1" for job in [*jobs, *later])
        for job in ends:
            assert drover.log_of(job["id"]) == "done\n"
            assert drover.call("GET", f"/jobs/{job['id']}/artifacts/kept").text == "kept\n"
        check_talk(drover.log_of(talker["id"]))
        assert len(drover.cloud.instances()) == 3, "a return launches nothing anew"
        common_end(drover, ledger)


def check_talk(log):
    """Each line once, in order, and the block in its middle whole: what was written while nobody listened as well."""
    lines = log.splitlines()
    big = [line for line in lines if line.startswith("x")]
    assert [len(line) for line in big] == [3145728]
    count = int(lines[-1].removeprefix("last "))
    assert count > 5 * AWAY
    assert [line for line in lines[:-1] if line != big[0]] == [f"line {i}" for i in range(1, count + 1)]


# What is above the job's shell: the runner of its attempt, which goes first or else would report, and the worker's main loop.
KILL_WORKER = "read -r _ _ _ main _ < /proc/$PPID/stat; kill -9 $PPID $main; sleep 60"
KILL_RUNNER = "kill -9 $PPID; sleep 60"


def test_a_poison_job_and_a_bad_image_spoil_nothing_beside_them():
    pool = {"max": 2, "slots": 2}
    with stack(pool=pool, settings={**FAST, "max_launches_per_minute": 100}) as drover:
        ledger = Ledger(drover)

        def more(name, **members):
            made = {"name": name, "image": "ami-local", "instance_types": ["local.small"], "max": 1, **members}
            assert drover.call("POST", "/pools", made).status == 201

        def machines(pool):
            return int(drover.postgres.sql("SELECT count(*) FROM worker w JOIN pool p ON p.id = w.pool "
                                           f"WHERE p.name = '{pool}'"))
        more("poisoned", max=2)
        more("unsteady")
        more("bad", image="ami-inert", max=3, registration_timeout_s=10)
        poison = ledger.submit(shell(KILL_WORKER, name="kills its worker", queue="poisoned", priority=9)).json
        beside = ledger.submit([shell("echo fine", name=f"beside {i}", queue="poisoned") for i in range(20)]).json
        unsteady = ledger.submit(shell(KILL_RUNNER, name="kills its keeper", queue="unsteady")).json
        waiting = ledger.submit([shell("echo ran", name=f"of a bad image {i}", queue="bad") for i in range(6)]).json
        good = ledger.submit([shell("sleep 0.2; echo good", name=f"good {i}") for i in range(40)]).json

        parked = drover.wait_state(poison["id"], "failed", "succeeded")
        assert parked["reason"].startswith("poison: its attempts broke on 3 different workers"), parked
        assert parked["counters"] == {**NOTHING, "infra": 3}, [(one["outcome"], one["reason"]) for one in drover.attempts(poison["id"])]
        assert len({one["worker"] for one in drover.attempts(poison["id"])}) == 3
        for job in [*beside, *good]:
            done = drover.wait_state(job["id"], "succeeded", "failed")
            assert done["state"] == "succeeded" and done["counters"] == NOTHING, done
        assert machines("poisoned") <= 3 + 2, "it took three machines with it, and its pool holds two"

        def blocked():
            return drover.call("GET", "/pools/bad").json["blocked_reason"]
        reason = wait_for(blocked, "the bad image to be told", every=0.2)
        assert reason.startswith("bad image: 3 machines in a row") and "ami-inert" in reason
        # What the pool is blocked for is read from the store; explain knows it from memory, a moment later.
        wait_for(lambda: "bad image" in drover.call("GET", f"/jobs/{waiting[0]['id']}/explain").text,
                 "explain to tell the bad image")
        wait_for(lambda: not [one for one in drover.call("GET", "/workers?limit=1000").json
                              if one["pool"] == "bad" and one["state"] != "gone"], "its machines to be terminated")
        drover.rounds(5)  # time enough to launch more
        assert machines("bad") == 3
        assert all(drover.job(job["id"])["state"] == "queued" and drover.job(job["id"])["counters"] == NOTHING for job in waiting)

        kept = drover.wait_state(unsteady["id"], "failed", "succeeded")
        assert kept["reason"].startswith("poison: 5 of its attempts broke with their worker"), kept
        assert kept["counters"] == {**NOTHING, "infra": 5} and machines("unsteady") == 1
        assert {one["worker"] for one in drover.attempts(unsteady["id"])} == {drover.attempts(unsteady["id"])[0]["worker"]}

        assert drover.call("PATCH", "/pools/bad", {"image": "ami-local"}).status == 200
        for job in waiting:
            drover.wait_state(job["id"], "succeeded")
        common_end(drover, ledger)
