"""docs/openapi.json judged by strangers: a linter, and a proxy that holds every request and answer against the document."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "e2e"), os.path.join(os.path.dirname(__file__), "..", "fault")]
from harness import call, free_port, shell, stack, try_call, wait_for  # noqa: E402
from protocol import add_inert_pool, bootstrap_token  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ["DROVER_SOURCE"]
DOCUMENT = f"{SOURCE}/docs/openapi.json"
FAST = {"heartbeat_interval_s": 1, "notice_poll_s": 1, "reconcile_interval_s": 1}


@pytest.fixture(scope="module")
def modules():
    """Where node_modules is, as package-lock.json pins it; installed when that has changed."""
    folder = f"{SOURCE}/build/contract"
    os.makedirs(folder, exist_ok=True)
    with open(f"{HERE}/package-lock.json", encoding="utf-8") as lock:
        wanted = lock.read()
    stamp = f"{folder}/installed-lock.json"
    if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != wanted:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(f"{HERE}/{name}", folder)
        subprocess.run(["npm", "ci", "--no-fund", "--no-audit", "--ignore-scripts"], cwd=folder, check=True, timeout=600)
        with open(stamp, "w", encoding="utf-8") as done:
            done.write(wanted)
    return folder


class Proxy:
    """Prism between a client and the daemon: an answer, or a request, that the document does not allow becomes an error."""

    def __init__(self, modules, daemon):
        self.port, self.seen = free_port(), set()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [f"{modules}/node_modules/.bin/prism", "proxy", DOCUMENT, f"http://127.0.0.1:{daemon}", "--errors",
             "--host", "127.0.0.1", "--port", str(self.port)], stdout=self.log, stderr=subprocess.STDOUT)
        wait_for(lambda: self.process.poll() is None and try_call(self.port, "GET", "/healthz"), "the proxy to serve")

    def call(self, method, path, body=None, headers=None, wanted=None):
        answer = call(self.port, method, path, body, headers)
        assert "sl-violations" not in answer.headers, (method, path, answer.headers["sl-violations"])
        assert not answer.headers.get("content-type", "").startswith("application/problem+json") or \
            b"stoplight.io" not in answer.body, (method, path, answer)
        if wanted is not None:
            assert answer.status == wanted, (method, path, answer)
        self.seen.add((method, path.split("?")[0], answer.status))
        return answer

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def drover():
    with stack(settings=FAST) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(modules, drover):
    running = Proxy(modules, drover.port)
    yield running
    running.close()


def test_a_linter_finds_nothing(modules):
    done = subprocess.run(["node", f"{HERE}/lint.mjs", modules, DOCUMENT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_proxy_notices_what_the_document_does_not_allow(proxy):
    """Else the tests below would say nothing."""
    answer = call(proxy.port, "POST", "/jobs", {"task": {"command": "true"}, "priority": "high"})
    assert answer.status in (400, 422) and b"stoplight.io" in answer.body, answer


def template(document, method, path):
    """The path of the document that a request's path is an instance of: the one with the fewest names in it."""
    fitting = [one for one, operations in document["paths"].items() if method.lower() in operations and
               re.fullmatch(re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(one)), path)]
    return min(fitting, key=lambda one: one.count("{"), default=None)


def test_people(proxy, drover):
    """What people do, and what is refused them."""
    call_ = proxy.call
    for path in ("/", "/openapi.json", "/status", "/metrics", "/healthz", "/readyz", "/queues", "/config", "/scheduler", "/jobs",
                 "/workers", "/pools"):
        call_("GET", path, wanted=200)
    for method in ("PUT", "PATCH"):
        call_(method, "/config", {"freeze_share": 0.4}, wanted=200)
    call_("PATCH", "/scheduler", {"is_paused": False}, wanted=201)

    pool = {"name": "extra", "provider": "none"}
    call_("POST", "/pools", pool, wanted=201)
    call_("POST", "/pools", pool, wanted=409)
    call_("PUT", "/pools/extra", {"provider": "none", "max": 2}, wanted=200)
    call_("PUT", "/pools/other", {"provider": "none"}, wanted=201)
    call_("PATCH", "/pools/extra", {"max": 3}, {"If-Match": '"1"'}, wanted=412)
    call_("PATCH", "/pools/extra", {"max": 3}, wanted=200)
    call_("GET", "/pools/extra", wanted=200)
    call_("GET", "/pools/none-such", wanted=404)

    job = call_("POST", "/jobs", shell("echo hello; echo kept > $DROVER_ARTIFACT_DIR/out; echo state > $DROVER_CHECKPOINT_DIR/s"),
                wanted=201).json
    assert len(call_("POST", "/jobs", [shell("true", hold=True, queue="held") for _ in range(2)], wanted=201).json) == 2
    drover.wait_state(job["id"], "succeeded")
    mine = f"/jobs/{job['number']}"
    call_("GET", "/jobs?state=succeeded&limit=1", wanted=200)
    for what in ("", "/attempts", "/explain", "/artifacts", "/artifacts/out", "/logs/stdout", "/logs/stdout?attempt=all&offset=3"):
        call_("GET", mine + what, wanted=200)
    call_("GET", f"{mine}/checkpoint", wanted=404)
    call_("GET", "/jobs/999999", wanted=404)
    held = drover.submit(shell("true", hold=True, queue="nobody"))
    for action in ("hold", "release", "cancel", "requeue", "cancel"):
        for method in ("POST", "PUT"):
            call_(method, f"/jobs/{held['number']}/{action}", wanted=200)
    call_("POST", f"{mine}/cancel", wanted=409)
    call_("POST", "/jobs/999999/hold", wanted=404)


def test_workers(proxy, drover):
    """The worker protocol, and what people do with workers."""
    call_ = proxy.call
    instance, other = add_inert_pool(drover, "hands", 2)[:2]
    token = {"Authorization": f"Bearer {bootstrap_token(instance)}"}
    call_("GET", "/worker/bootstrap", headers=token, wanted=200)
    call_("GET", "/worker/bootstrap", headers={"Authorization": "Bearer nobody's"}, wanted=401)
    body = {"instance_id": instance["id"], "nonce": "n1", "slots": 4, "cpus": 1, "mem_mib": 0, "disk_mib": 0, "hostname": "test",
            "version": "test"}
    registered = wait_for(lambda: (lambda answer: answer.json if answer.status == 200 else None)(
        call_("POST", "/workers/register", body, token)), "the cloud to tell of the instance")
    call_("POST", "/workers/register", {**body, "nonce": "n2"}, token, wanted=409)
    me, mine = registered["worker_id"], {"Authorization": f"Bearer {registered['token']}"}
    call_("POST", f"/workers/{me}/claim", {"nonce": "empty", "wait_s": 0}, mine, wanted=200)
    jobs = drover.submit([{"task": {"command": "true", "env": {"A": "b"}}, "queue": "hands"}, shell("true", queue="hands"),
                          {"task": {"args": ["true", "x"]}, "queue": "hands"}])

    claimed = []

    def claim():
        answer = call_("POST", f"/workers/{me}/claim", {"nonce": os.urandom(8).hex(), "slots": 4, "wait_s": 1}, mine, wanted=200)
        claimed.extend(answer.json["jobs"])
        return len(claimed) == len(jobs)
    wait_for(claim, "the jobs to be claimed")
    first, second, third = sorted(claimed, key=lambda one: one["number"])
    shown = call_("POST", f"/workers/{me}/heartbeat", {"attempts": [{"job": first["number"], "attempt": 1, "token": "not its"}]},
                  mine, wanted=200).json
    assert shown["stop"]

    def of(attempt, what):
        return (f"/jobs/{attempt['number']}/attempts/{attempt['attempt']}/{what}",
                {**mine, "X-Drover-Attempt-Token": attempt["token"]})

    def report(attempt, what, sent, wanted, method="POST"):
        path, headers = of(attempt, what)
        if isinstance(sent, bytes):
            headers["Content-Type"] = "application/octet-stream"
        return call_(method, path, sent, headers, wanted)
    report(first, "logs/stdout?offset=0", b"hello\n", 200)
    report(first, "logs/stdout?offset=99", b"hello\n", 409)
    report(first, "artifacts/a", b"bytes", 201, "PUT")
    report(first, "checkpoint", b"bytes", 201, "PUT")
    call_("GET", f"/jobs/{first['number']}/checkpoint", wanted=200)
    call_("GET", f"/jobs/{first['number']}/explain", wanted=200)
    report(first, "finish", {"outcome": "succeeded", "exit_code": 0}, 200)
    report(first, "finish", {"outcome": "failure", "exit_code": 1}, 409)
    report(second, "release", {"reason": "why not"}, 200)
    report(third, "finish", {"outcome": "failure", "signal": 9, "reason": "broken"}, 200)
    call_("GET", f"/jobs/{jobs[2]['number']}/attempts", wanted=200)
    call_("GET", "/workers?limit=1", wanted=200)
    call_("GET", f"/workers/{me}", wanted=200)
    call_("GET", "/workers/999999", wanted=404)
    for action in ("drain", "activate"):
        for method in ("POST", "PUT"):
            call_(method, f"/workers/{me}/{action}", wanted=200)
    for method in ("POST", "PUT"):
        call_(method, f"/workers/{other['id']}/terminate", wanted=200)
    wait_for(lambda: drover.call("GET", f"/workers/{other['id']}").json["state"] == "gone", "the terminated one to be gone")
    call_("POST", f"/workers/{other['id']}/activate", wanted=409)


def test_every_operation_of_the_document_was_called(proxy):
    with open(DOCUMENT, encoding="utf-8") as file:
        document = json.load(file)
    all_of_them = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    well = {(method, template(document, method, path)) for method, path, status in proxy.seen if status < 300}
    assert all_of_them - well == set()
