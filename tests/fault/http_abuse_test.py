"""Abuse of the real daemon over HTTP: slow and idle clients beside honest ones, and JSON that no parser should take."""
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import PATIENCE, attempt_headers, call, shell, stack, user_data_of, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402

FAST = {"heartbeat_interval_s": 1, "notice_poll_s": 2, "reconcile_interval_s": 1}
DEADLINES = {"header_time_s": 2, "body_time_s": 2, "idle_time_s": 3, "write_time_s": 2}
MORE_MEMORY = 96 * 1024  # KiB that abuse may cost beyond what the daemon took before


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    """A thousand connections need more than the usual soft limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module", name="drover")
def running_stack():
    with stack(settings=FAST, config={"server": DEADLINES}, prefix=["prlimit", "--nofile=8192"]) as running:
        # One worker with one job that lasts: slow readers want its long log, and the requests below borrow its tokens.
        job = running.submit(shell("seq 500000; while :; do sleep 1; done", name="lasting"))
        running.wait_state(job["id"], "running")
        wait_for(lambda: running.log_of(job["id"]).endswith("500000\n"), "the whole log")
        running.lasting = job
        yield running


def memory(drover, which):
    with open(f"/proc/{drover.daemon.pid}/status", encoding="utf-8") as status:
        return int(re.search(rf"{which}:\s+(\d+) kB", status.read()).group(1))


def cpu_seconds(drover):
    with open(f"/proc/{drover.daemon.pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sockets_of(drover):
    directory = f"/proc/{drover.daemon.pid}/fd"
    found = 0
    for entry in os.listdir(directory):
        try:
            found += os.readlink(f"{directory}/{entry}").startswith("socket:")
        except FileNotFoundError:
            pass
    return found


class Honest:
    """A client that goes on submitting jobs, to a queue without machines; each must be acknowledged."""

    def __init__(self, drover):
        self.ledger, self.drover = Ledger(drover), drover
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        count = 0
        while not self.over.is_set():
            self.ledger.submit(shell("true", name=f"honest-{count}", queue="nobody-serves-this"))
            count += 1
            self.over.wait(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def check(self):
        assert self.ledger.jobs and self.ledger.refused == 0 and self.ledger.unknown == 0, vars(self.ledger)
        self.ledger.check()


def check_sane(drover, sockets):
    wait_for(lambda: sockets_of(drover) <= sockets + 8, "all hostile connections to be gone", every=0.2)
    before = cpu_seconds(drover)
    time.sleep(2)  # what is measured
    assert cpu_seconds(drover) - before < 1, "the daemon is busy with nothing to do"


class Attack:
    """slowhttptest: opens 250 connections, once, and would keep them for longer than the test is patient. It reports every five seconds."""

    def __init__(self, drover, name, options):
        self.report = f"{drover.base}/{name}.report"
        common = ["-c", "250", "-r", "125", "-i", "1", "-l", str(2 * PATIENCE), "-p", "10"]
        with open(self.report, "wb") as report:
            self.process = subprocess.Popen(["stdbuf", "-oL", "slowhttptest", *options, *common], stdin=subprocess.DEVNULL,
                                            stdout=report, stderr=subprocess.STDOUT)

    def has_come(self):
        """Whether its connections are open, or were."""
        with open(self.report, encoding="utf-8", errors="replace") as report:
            text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", report.read())
        opened = sum(int((re.findall(rf"^{what}: +(\d+)", text, re.M) or ["0"])[-1]) for what in ("connected", "closed"))
        return opened >= 200 or "No open connections left" in text

    def end(self):
        self.process.kill()
        self.process.wait()


def test_slow_headers_bodies_readers_and_ranges_are_cut_off_beside_honest_clients(drover):
    sockets, before = sockets_of(drover), memory(drover, "VmRSS")
    url = f"http://127.0.0.1:{drover.port}"
    log = f"{url}/jobs/{drover.lasting['number']}/logs/stdout"
    attacks = {
        "headers": ["-H", "-u", f"{url}/jobs"],
        "bodies": ["-B", "-s", "8192", "-x", "10", "-t", "POST", "-u", f"{url}/jobs"],
        "readers": ["-X", "-w", "8", "-y", "32", "-n", "1", "-z", "8", "-k", "3", "-u", log],
        "ranges": ["-R", "-b", "1000", "-u", log],
    }
    with Honest(drover) as honest:
        running = [Attack(drover, name, options) for name, options in attacks.items()]
        try:
            for attack in running:
                wait_for(attack.has_come, f"{attack.report} to tell of connections", every=0.2)
            # What counts is the daemon's end: a slow reader goes on for long with what its own kernel holds.
            wait_for(lambda: sockets_of(drover) <= sockets + 8, "the attackers to be cut off", every=0.2)
        finally:
            for attack in running:
                attack.end()
    honest.check()
    assert memory(drover, "VmHWM") < before + MORE_MEMORY
    check_sane(drover, sockets)


def test_a_thousand_idle_connections_and_five_hundred_half_requests_cost_little_and_are_cut_off(drover):
    sockets, before = sockets_of(drover), memory(drover, "VmRSS")
    starts = [b"", b"GET /jobs HTTP/1.1\r\nHost: localhost\r\n",
              b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"]
    with Honest(drover) as honest:
        # Two of three send nothing at all, the others a part of a request.
        clients = []
        try:
            for i in range(1500):
                clients.append(socket.create_connection(("127.0.0.1", drover.port), timeout=PATIENCE))
                clients[-1].sendall(starts[0 if i < 1000 else 1 + i % 2])
            for client in clients:
                try:
                    while client.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
        finally:
            for client in clients:
                client.close()
    honest.check()
    assert memory(drover, "VmHWM") < before + MORE_MEMORY
    check_sane(drover, sockets)


HOSTILE_JSON = {
    "nothing": b"",
    "not JSON": b"task: true",
    "two values": b"{}{}",
    "depth 100 000 of arrays": b"[" * 100_000 + b"]" * 100_000,
    "depth 100 000 of objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "depth 100 000 without end": b"[" * 100_000,
    "100 000 keys": b"{" + b",".join(b'"%d":0' % i for i in range(100_000)) + b"}",
    "1 000 000 keys, which is too long": b"{" + b",".join(b'"%d":0' % i for i in range(1_000_000)) + b"}",
    "a key twice": b'{"task":{"command":"true"},"task":{"command":"false"}}',
    "1e9999": b'{"priority":1e9999}',
    "-1e9999": b'[-1e9999]',
    "NaN": b'{"priority":NaN}',
    "invalid UTF-8": b'{"name":"\xff\xfe"}',
    "an overlong NUL": b'{"name":"\xc0\x80"}',
    "a lone high surrogate": b'{"name":"\\ud800"}',
    "a lone low surrogate": b'{"name":"\\udc00x"}',
    "an escaped NUL": b'{"name":"a\\u0000b"}',
    "a NUL": b'{"name":"a\0b"}',
    "a control character": b'{"name":"a\nb"}',
    "an unknown member": b'{"no_such_member":1}',
    "null": b"null",
    "a number": b"17",
    "a string": b'"text"',
    "an array of arrays": b"[[[]]]",
    "a trailing comma": b'{"name":"x",}',
    "a comment": b"{/* */}",
}
WRONG = {"string": [5, True, {}, ["x"]], "integer": ["5", 1.5, True, {}, 10**30, -10**18], "number": ["5", True, []],
         "boolean": ["yes", 7, {}], "array": [{}, "x", 7], "object": [[], "x", 7]}


def routes_with_json(drover):
    """(method, path, headers, schema) of every route that takes JSON, allowed to ask."""
    with open(f"{os.environ['DROVER_SOURCE']}/docs/openapi.json", encoding="utf-8") as description:
        described = json.load(description)
    worker = drover.call("GET", "/workers").json[0]
    (instance,) = drover.cloud.instances("running")
    headers = attempt_headers(drover, instance["id"])
    bootstrap = re.search(r"[0-9A-Za-z_-]{40,}", user_data_of(instance)).group(0)
    names = {"{worker}": str(worker["number"]), "{job}": str(drover.lasting["number"]), "{attempt}": "1", "{pool}": "default"}
    found = []
    for template, methods in described["paths"].items():
        path = template
        for name, value in names.items():
            path = path.replace(name, value)
        for method, operation in methods.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is None:
                continue
            own = {"Authorization": f"Bearer {bootstrap}"} if path.endswith("/register") else headers
            found.append((method.upper(), path, own if path.startswith(("/workers", "/jobs/")) else {}, schema, described))
    return found


def resolve(schema, described):
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for choice in schema.get("oneOf", schema.get("allOf", [])):
        if resolve(choice, described).get("type") == "object":
            return resolve(choice, described)
    return schema


def check_refused(answer, what, path):
    assert 400 <= answer.status < 500 and answer.status not in (401, 403, 404, 405), f"{what} on {path}: {answer}"
    if path != "/scheduler":  # answers errors in plain text
        assert answer.headers["content-type"] == "application/problem+json", f"{what} on {path}: {answer}"
        assert answer.json["status"] == answer.status


def test_hostile_json_is_refused_by_every_route_and_changes_nothing(drover):
    before = drover.call("GET", "/status").json["queue_depth"], memory(drover, "VmRSS")
    routes = routes_with_json(drover)
    assert len(routes) >= 12, [route[:2] for route in routes]
    for method, path, headers, schema, described in routes:
        for what, body in HOSTILE_JSON.items():
            if path.endswith("/release") and what in ("nothing", "100 000 keys", "an unknown member"):
                continue  # a report of a worker may leave out all of it, and hold what only later versions know
            if what == "nothing" and (path == "/config" or method == "PATCH" and path != "/scheduler"):
                continue  # an edit that names nothing changes nothing
            check_refused(drover.call(method, path, body, headers), what, path)
        members = resolve(schema, described).get("properties", {})
        assert members, path
        for name, member in members.items():
            kind = resolve(member, described).get("type")
            for value in WRONG.get(kind[0] if isinstance(kind, list) else kind, []):
                answer = drover.call(method, path, {name: value}, headers)
                check_refused(answer, f"{name} = {value!r}", path)
                if path != "/scheduler" and answer.status in (400, 422):
                    assert answer.json.get("field"), f"{name} = {value!r} on {path}: {answer}"
    assert drover.call("GET", "/status").json["queue_depth"] == before[0]
    assert memory(drover, "VmHWM") < before[1] + MORE_MEMORY
    assert drover.job(drover.lasting["id"])["state"] == "running"


def test_a_client_that_closes_its_sending_half_is_answered(drover):
    answered = 0
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", drover.port), timeout=PATIENCE) as link:
            link.sendall(b"GET /jobs?limit=1 HTTP/1.0\r\nHost: localhost\r\n\r\n")
            link.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: link.recv(65536), b""))
        # Under load it may have waited for too long: then it is closed, and told of no fault.
        assert answer == b"" or answer.startswith(b"HTTP/1.1 200 "), answer[:200]
        answered += answer != b""
    assert answered > 0


def test_after_all_of_it_the_daemon_is_the_same_and_works(drover):
    assert drover.daemon.poll() is None
    ledger = Ledger(drover)
    drover.call("POST", f"/jobs/{drover.lasting['id']}/cancel")
    common_end(drover, ledger)


def test_the_main_functions_over_cpprestsdk():
    with stack(settings=FAST, config={"server": {"transport": "beast"}}, arguments=["--http-transport=cpprest"]) as drover:
        assert "cpprestsdk" in drover.daemon_log(), "choosing it must be warned of"
        ledger = Ledger(drover)
        text = "echo out; echo err >&2; seq 1 200000 > $DROVER_ARTIFACT_DIR/numbers"
        done = ledger.submit([shell(text, name=f"job-{i}") for i in range(5)]).json
        for job in done:
            ended = drover.wait_state(job["id"], "succeeded", "failed")
            assert ended["state"] == "succeeded" and ended["attempts"] == 1, ended
            assert drover.log_of(job["id"]) == "out\n" and drover.log_of(job["id"], "stderr") == "err\n"
        numbers = drover.call("GET", f"/jobs/{done[0]['id']}/artifacts/numbers")
        assert numbers.body == b"".join(b"%d\n" % i for i in range(1, 200_001))
        lasting = drover.submit(shell("sleep 600"))
        drover.wait_state(lasting["id"], "running")
        assert drover.call("POST", f"/jobs/{lasting['id']}/cancel").status == 200
        drover.wait_state(lasting["id"], "cancelled")
        assert call(drover.port, "HEAD", "/jobs").status == 200
        assert drover.call("OPTIONS", "/jobs").status in (204, 405)
        assert drover.call("POST", "/jobs", "{}").status == 400
        common_end(drover, ledger)
        drover.daemon.terminate()
        assert drover.daemon.wait(timeout=PATIENCE) == 0
