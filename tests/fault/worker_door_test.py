"""The worker protocol at the daemon's door: what is kept of an attempt under which name, how ends are told, and polls whose
worker has gone. The workers are the tests' own."""
import contextlib
import hashlib
import json
import os
import socket
import sys
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import call, shell, stack, wait_for  # noqa: E402
from protocol import ProtocolWorker, add_inert_pool  # noqa: E402

SETTINGS = {"heartbeat_interval_s": 1, "reconcile_interval_s": 1, "lease_s": 600}


@contextlib.contextmanager
def with_worker(slots=1, **options):
    """A daemon and one worker, which serves the queue "door"."""
    with stack(settings=SETTINGS, **options) as drover:
        instance = add_inert_pool(drover, "door", 1, slots=slots)[0]
        yield drover, ProtocolWorker(drover, instance, slots=slots).register()


@pytest.fixture(scope="module")
def door():
    with with_worker() as pair:
        yield pair


def attempt_of(drover, worker, **members):
    """A new job's attempt, claimed by the worker."""
    job = drover.submit(shell("true", queue="door", **members))
    [claimed] = worker.claim(wait_s=20)
    assert claimed["number"] == job["number"]
    return claimed


def put(worker, attempt, what, data):
    return call(worker.port, "PUT", worker.path(attempt, what), data, worker.headers(attempt))


# ---- names


def test_names_of_several_parts_are_artifacts_beside_each_other(door):
    drover, worker = door
    attempt = attempt_of(drover, worker)
    deep = "/".join(["p" * 50] * 5) + "/"
    deep += "x" * (256 - len(deep))
    names = ["d", "d/b.txt", "d%2Fb.txt", "d/b.txt/c", "D/b.txt", "checkpoint.tar.gz", "checkpoint", deep, deep[:-1] + "y",
             "n" * 256, ".../x", "é/ü b"]
    for name in names:
        quoted = "".join(f"%{byte:02X}" for byte in name.encode())  # every slash as %2F
        answer = put(worker, attempt, f"artifacts/{quoted}", f"of {name}".encode())
        assert answer.status == 201 and answer.json["name"] == name, (name, answer)
    again = put(worker, attempt, "artifacts/d/b.txt", b"through the slash")
    assert again.status == 201 and again.json["name"] == "d/b.txt", again
    listed = drover.call("GET", f"/jobs/{attempt['number']}/artifacts").json
    assert sorted(one["name"] for one in listed) == sorted(names)
    for path, text in [("d/b.txt", "through the slash"), ("d%2fb.txt", "through the slash"), ("d", "of d"),
                       ("d%252Fb.txt", "of d%2Fb.txt"), ("d/b.txt/c", "of d/b.txt/c"), (deep, f"of {deep}")]:
        answer = drover.call("GET", f"/jobs/{attempt['number']}/artifacts/{path}")
        assert (answer.status, answer.text) == (200, text), path
        assert answer.headers["x-checksum-sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert drover.call("GET", f"/jobs/{attempt['number']}/artifacts/D").status == 404
    assert worker.try_report(attempt).status == 200


def test_names_that_lead_elsewhere_are_refused_by_the_rule(door):
    drover, worker = door
    attempt = attempt_of(drover, worker)
    for path in ["..%2Fx", "a/../x", "a/%2e%2e/x", "%2E", "a%2F.%2Fb", "a/", "a%2F", "/a", "%2Fa", "a//b", "a%2F%2Fb",
                 "/checkpoint", "%2Fcheckpoint", "a%0Ab", "n" * 257, "a/" + "n" * 255]:
        answer = put(worker, attempt, f"artifacts/{path}", b"x")
        assert answer.status == 400 and "an artifact's name" in answer.json["detail"], (path, answer)
    assert drover.call("GET", f"/jobs/{attempt['number']}/artifacts").json == []
    assert worker.try_report(attempt).status == 200


def test_an_attempt_keeps_a_thousand_artifacts_and_is_told_of_the_rest(door):
    drover, worker = door
    attempt = attempt_of(drover, worker)
    number = attempt["number"]
    drover.postgres.sql("INSERT INTO artifact (number, name, attempt, size, sha256, created_at) "
                        f"SELECT {number}, 'f/' || n, 1, 0, sha256(''), now() FROM generate_series(1, 999) n")
    assert put(worker, attempt, "artifacts/last", b"1").status == 201
    refused = put(worker, attempt, "artifacts/one-more", b"1")
    assert refused.status == 413 and "at most 1000 artifacts" in refused.json["detail"], refused
    assert put(worker, attempt, "artifacts/last", b"22").status == 201, "what is there may be replaced"
    assert put(worker, attempt, "checkpoint", b"saved").status == 201, "the checkpoint does not count"
    assert len(drover.call("GET", f"/jobs/{number}/artifacts").json) == 1000
    assert worker.try_report(attempt, "finish", {"outcome": "failure", "exit_code": 1}).status == 200


# ---- checkpoints


def test_the_checkpoint_is_the_one_that_was_put_as_such(door):
    drover, worker = door
    first = attempt_of(drover, worker)
    number = first["number"]
    assert (first["resume"], "checkpoint" in first) == (False, False)
    assert first["max_log_bytes"] == 268435456
    assert drover.call("GET", f"/jobs/{number}/checkpoint").status == 404
    for name in ["checkpoint.tar.gz", "checkpoint", "d/checkpoint.tar.gz"]:
        assert put(worker, first, f"artifacts/{name}", b"the job's own").status == 201
    assert worker.try_report(first, "release").status == 200
    [second] = worker.claim(wait_s=20)
    assert (second["attempt"], second["resume"]) == (2, False), "no artifact is taken for a checkpoint"
    answer = put(worker, second, "checkpoint", b"saved")
    assert answer.status == 201, answer
    assert answer.json == {"size": 5, "sha256": hashlib.sha256(b"saved").hexdigest()}
    assert worker.try_report(second, "release").status == 200
    [third] = worker.claim(wait_s=20)
    assert (third["resume"], third["checkpoint"]) == (True, f"/jobs/{number}/checkpoint")
    assert drover.call("GET", third["checkpoint"]).body == b"saved"
    assert put(worker, second, "checkpoint", b"late").status == 409, "of an attempt that is over"
    assert put(worker, third, "checkpoint", b"newer").status == 201
    assert drover.call("GET", third["checkpoint"]).body == b"newer"
    assert drover.call("GET", f"/jobs/{number}/artifacts/checkpoint.tar.gz").body == b"the job's own"
    assert {one["name"] for one in drover.call("GET", f"/jobs/{number}/artifacts").json} == \
        {"checkpoint.tar.gz", "checkpoint", "d/checkpoint.tar.gz"}
    assert worker.try_report(third).status == 200


@pytest.mark.parametrize("transport", ["beast", "cpprest"])
def test_a_checkpoint_that_breaks_off_on_its_way_replaces_none(transport):
    with with_worker(arguments=[f"--http-transport={transport}"]) as (drover, worker):
        def spooled():
            return os.listdir(f"{drover.base}/artifacts/spool")
        attempt = attempt_of(drover, worker)
        assert put(worker, attempt, "checkpoint", b"saved").status == 201
        head = "".join(f"{name}: {value}\r\n" for name, value in worker.headers(attempt).items())
        for body in ("Content-Length: 9\r\n\r\ncut", "Transfer-Encoding: chunked\r\n\r\n9\r\ncut",
                     "Transfer-Encoding: chunked\r\n\r\n3\r\ncut\r\n"):
            with socket.create_connection(("127.0.0.1", worker.port)) as line:
                line.sendall(f"PUT {worker.path(attempt, 'checkpoint')} HTTP/1.1\r\nHost: localhost\r\n{head}{body}".encode())
                wait_for(spooled, "the part that came to be spooled")
            wait_for(lambda: spooled() == [], "it to be removed")
            assert drover.call("GET", f"/jobs/{attempt['number']}/checkpoint").body == b"saved", body
        assert worker.try_report(attempt).status == 200


def test_a_worker_of_the_first_version_still_keeps_and_finds_its_checkpoint():
    with stack(settings=SETTINGS) as drover:
        instance = add_inert_pool(drover, "door", 1)[0]
        worker = ProtocolWorker(drover, instance)
        answer = worker.try_register(version="1")
        worker.id, worker.token = answer.json["worker_id"], answer.json["token"]
        first = attempt_of(drover, worker)
        assert put(worker, first, "artifacts/checkpoint.tar.gz", b"saved").status == 201
        assert worker.try_report(first, "release").status == 200
        [second] = worker.claim(wait_s=20)
        assert second["resume"] is True
        name = second["checkpoint"].replace("/", "%2F")  # it takes this for an artifact's name
        assert drover.call("GET", f"/jobs/{first['number']}/artifacts/{name}").body == b"saved"
        assert drover.call("GET", f"/jobs/{first['number']}/checkpoint").body == b"saved"
        assert worker.try_report(second).status == 200


# ---- ends


@pytest.mark.parametrize("end, code, signal, reason", [
    ({"exit_code": 3}, 3, None, "exit code 3"),
    ({"exit_code": 150}, 150, None, "exit code 150"),
    ({"exit_code": 137}, 137, None, "exit code 137"),
    ({"exit_code": 255}, 255, None, "exit code 255"),
    ({"signal": 9}, None, 9, "killed by signal 9 (SIGKILL)"),
    ({"signal": 22}, None, 22, "killed by signal 22 (SIGTTOU)"),
    ({"signal": 64}, None, 64, "killed by signal 64"),
    ({"exit_code": 143, "reason": "timed out after 5 s"}, 143, None, "timed out after 5 s"),
])
def test_a_code_stays_a_code_and_a_signal_a_signal(door, end, code, signal, reason):
    drover, worker = door
    attempt = attempt_of(drover, worker)
    assert worker.try_report(attempt, "finish", {"outcome": "failure", **end}).json["state"] == "failed"
    [kept] = drover.attempts(attempt["number"])
    job = drover.job(attempt["number"])
    for shown in (kept, job):
        assert (shown["exit_code"], shown["signal"], shown["reason"]) == (code, signal, reason)
    explained = drover.call("GET", f"/jobs/{attempt['number']}/explain").json
    assert explained["summary"].count(reason) == 1, explained


def test_a_job_shows_how_its_latest_attempt_ended(door):
    drover, worker = door
    first = attempt_of(drover, worker, retry={"max_attempts": 3, "backoff_s": 0})
    assert worker.try_report(first, "finish", {"outcome": "failure", "signal": 11}).json["state"] == "queued"
    assert drover.job(first["number"])["signal"] == 11
    [second] = worker.claim(wait_s=20)
    assert worker.try_report(second, "finish", {"outcome": "failure", "exit_code": 2}).status == 200
    job = drover.job(first["number"])
    assert (job["exit_code"], job["signal"]) == (2, None)
    [third] = worker.claim(wait_s=20)
    assert worker.try_report(third).status == 200
    job = drover.job(first["number"])
    assert (job["state"], job["exit_code"], job["signal"], job["reason"]) == ("succeeded", 0, None, None)


# ---- polls


def open_poll(worker):
    line = socket.create_connection(("127.0.0.1", worker.port))
    body = json.dumps({"nonce": uuid.uuid4().hex, "wait_s": 20})
    head = "".join(f"{name}: {value}\r\n" for name, value in worker.headers().items())
    line.sendall(f"POST /workers/{worker.id}/claim HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return line


@pytest.mark.parametrize("transport", ["beast", "cpprest"])
def test_a_poll_that_is_over_is_no_fault_of_the_daemon(transport):
    with with_worker(arguments=[f"--http-transport={transport}"]) as (drover, worker):
        answered = 'drover_http_requests_total{method="POST",route="/workers/{worker}/claim"'
        polls = 0

        def over():
            wait_for(lambda: drover.metric(answered) == polls, f"{polls} polls to be counted")
        for _ in range(3):
            open_poll(worker).close()
            if transport == "beast":  # which sees the worker go: the next job is not for that poll
                job = drover.submit(shell("true", queue="door"))
                [claimed] = worker.claim(wait_s=20)
                assert claimed["number"] == job["number"]
                assert worker.try_report(claimed).status == 200
            else:
                assert worker.claim() == []  # a newer poll ends that one
            polls += 2
        over()
        with contextlib.closing(open_poll(worker)) as replaced, contextlib.closing(open_poll(worker)) as drained:
            assert b" 200 OK\r\n" in replaced.recv(4096), "a newer poll ends the older one"
            answer = call(worker.port, "POST", f"/workers/{worker.id}/heartbeat",
                          {"attempts": [], "notice": '{"action":"terminate","time":"2030-01-01T00:00:00Z"}'}, worker.headers())
            assert answer.json["drain"] is True
            assert b" 200 OK\r\n" in drained.recv(4096), "and a notice the newer"
        polls += 2
        over()
        with contextlib.closing(open_poll(worker)) as late:
            assert b" 200 OK\r\n" in late.recv(4096), "who is noticed does not wait"
        assert drover.metric('drover_http_requests_total{method="POST",route="/workers/{worker}/claim",status="5') == 0
        assert not [line for line in drover.daemon_log().splitlines() if "error" in line.lower()], drover.daemon_log()
