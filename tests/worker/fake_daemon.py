"""A daemon and a metadata service for the tests of drover-worker: real HTTP on loopback, state in memory."""

import hashlib
import json
import os
import pathlib
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

SOURCE = pathlib.Path(os.environ.get("DROVER_SOURCE") or pathlib.Path(__file__).resolve().parents[2])
BOOTSTRAP_TOKEN = "b" * 64
WORKER_TOKEN = "c" * 64
PATIENCE = 300  # seconds that a test waits for what must come, whatever else the machine does


def worker_program():
    """The text of drover-worker, as the build joins it."""
    return "".join(part.read_text() for part in sorted((SOURCE / "src/worker/program").glob("*.sh")))


def quote(text):
    return "'" + str(text).replace("'", "'\\''") + "'"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class Listener:
    """Runs handler(request) on a port that stays the same over stop() and start()."""

    def __init__(self):
        self.changed = threading.Condition()
        self.hang_up_on = ""  # part of a path: its requests are refused before their body is read
        self.port = 0
        self.server = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do(self):
                self.close_connection = True
                if outer.hang_up_on and outer.hang_up_on in self.path:
                    self.wfile.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    return
                body = self.body()
                if body is None:  # cut off
                    return
                try:
                    answer = outer.handle(self.command, self.path, self.headers, body)
                except BrokenPipeError:
                    return
                if answer is None:  # the reply is lost
                    return
                status, kind, data, headers = answer
                data = data.encode() if isinstance(data, str) else data
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    length = int(self.headers.get("Content-Length") or 0)
                    data = self.rfile.read(length)
                    return data if len(data) == length else None
                data = b""
                while line := self.rfile.readline().strip():
                    chunk = self.rfile.read(int(line, 16))
                    if len(chunk) < int(line, 16) or self.rfile.read(2) != b"\r\n":
                        return None
                    if not chunk:
                        return data
                    data += chunk
                return None

            do_GET = do_POST = do_PUT = do

        self.running = True
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        with self.changed:
            self.running = False
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def wait(self, condition, what="the condition"):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), f"waited {PATIENCE} s in vain for {what}"


def problem(status, **members):
    return status, "application/problem+json", json.dumps({"title": "refused", "status": status, **members}), {}


def script(**variables):
    lines = []
    for name, value in variables.items():
        if isinstance(value, list):
            lines.append(f"{name}=({' '.join(quote(v) for v in value)})")
        elif isinstance(value, bool):
            lines.append(f"{name}={int(value)}")
        elif isinstance(value, int):
            lines.append(f"{name}={value}")
        else:
            lines.append(f"{name}={quote(value)}")
    return "\n".join(lines) + "\n"


def shell(text):
    return 200, "application/x-sh", text, {}


class FakeDaemon(Listener):
    """Speaks docs/worker-protocol.md. `faults`: functions (method, path) -> answer, "lose" (do it, lose the reply) or
    None (not this one); one that answers is used up."""

    def __init__(self, heartbeat_interval_s=1, notice_poll_s=1):
        self.heartbeat_interval_s = heartbeat_interval_s
        self.notice_poll_s = notice_poll_s
        self.known = True
        self.pending, self.attempts, self.by_nonce = [], {}, {}
        self.registrations, self.claims, self.heartbeats, self.requests = [], [], [], []
        self.logs, self.chunks, self.artifacts, self.checkpoints = {}, [], {}, {}
        self.ends, self.stops, self.faults = {}, [], []
        self.drain = False
        self.program = b""
        self.refused_artifacts = set()
        self.stalled = set()  # names of artifacts whose upload is never answered
        super().__init__()

    # ---- what tests do
    def submit(self, number, **job):
        with self.changed:
            self.pending.append({"number": number, **job})
            self.changed.notify_all()

    def wait_end(self, number):
        self.wait(lambda: any(key[0] == number for key in self.ends), f"the end of job {number}")
        return next(end for key, end in reversed(self.ends.items()) if key[0] == number)

    def log(self, number, stream="stdout", attempt=1):
        return bytes(self.logs.get((number, attempt, stream), b""))

    def fault(self, pattern, *answers):
        """Each of `answers` is given once to a request that matches."""
        for answer in answers:
            used = []

            def once(method, path, answer=answer, used=used):
                if used or not re.search(pattern, f"{method} {path}"):
                    return None
                used.append(True)
                return answer

            self.faults.append(once)

    # ---- what the worker sees
    def handle(self, method, path, headers, body):
        with self.changed:
            if not self.running:
                return None
            self.requests.append(f"{method} {path}")
            injected = None
            for fault in list(self.faults):
                injected = fault(method, path)
                if injected is not None:
                    self.faults.remove(fault)
                    break
            if injected is not None and injected != "lose":
                self.changed.notify_all()
                return injected
            answer = self.route(method, urlsplit(path), headers, body)
            self.changed.notify_all()
            return None if injected == "lose" else answer

    def route(self, method, target, headers, body):
        token = (headers.get("Authorization") or "").removeprefix("Bearer ")
        path = target.path
        if path in ("/worker/bootstrap", "/workers/register"):
            if token != BOOTSTRAP_TOKEN:
                return problem(401)
            if method == "GET":
                return 200, "text/x-shellscript", self.program, {}
            return self.register(json.loads(body))
        if token != WORKER_TOKEN or not self.known:
            return problem(401)
        if path == "/workers/7/claim":
            return self.claim(json.loads(body))
        if path == "/workers/7/heartbeat":
            return self.heartbeat(json.loads(body))
        match = re.fullmatch(r"/jobs/(\d+)/checkpoint", path)
        if match and method == "GET":
            data = self.checkpoints.get(int(match[1]))
            return problem(404) if data is None else (200, "application/octet-stream", data, {})
        match = re.fullmatch(r"/jobs/(\d+)/attempts/(\d+)/(\w+)(?:/(.+))?", path)
        if not match:
            return problem(404)
        key = int(match[1]), int(match[2])
        if key not in self.attempts or headers.get("X-Drover-Attempt-Token") != self.attempts[key]["token"]:
            return problem(409)
        return self.report(key, match[3], unquote(match[4] or ""), target, body)

    def register(self, body):
        self.registrations.append(body)
        self.known = True
        return shell(script(worker_id=7, worker_token=WORKER_TOKEN, worker_pool="p", worker_slots=body["slots"],
                            worker_heartbeat_interval_s=self.heartbeat_interval_s,
                            worker_notice_poll_s=self.notice_poll_s))

    def claim(self, body):
        self.claims.append(body)
        self.changed.notify_all()
        nonce = body["nonce"]
        if nonce not in self.by_nonce:
            end = time.monotonic() + min(body["wait_s"], 5)
            while not self.pending and self.running and self.known and not self.drain:
                left = end - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(left)
            if not self.running:
                return None
            if not self.known:
                return problem(401)
            taken, self.pending = self.pending[:body["slots"]], self.pending[body["slots"]:]
            for job in taken:
                job.setdefault("attempt", 1)
                job["token"] = uuid.uuid4().hex
                self.attempts[job["number"], job["attempt"]] = job
            self.by_nonce[nonce] = taken
        jobs = self.by_nonce[nonce]
        text = script(claim_jobs=len(jobs), claim_drain=self.drain)
        for job in jobs:
            text += script(job_number=job["number"], job_id=f"id-{job['number']}", job_attempt=job["attempt"],
                           job_token=job["token"], job_queue=job.get("queue", "default"),
                           job_name=job.get("name", ""), job_command=job.get("command", ""),
                           job_args=job.get("args", []), job_env=job.get("env", []),
                           job_timeout_s=job.get("timeout_s", 0), job_resume=job.get("resume", False),
                           job_checkpoint=job.get("checkpoint", ""),
                           job_max_log_bytes=job.get("max_log_bytes", 256 * 1024 * 1024))
            text += "on_claim\n"
        return shell(text)

    def heartbeat(self, body):
        self.heartbeats.append(body)
        return shell(script(heartbeat_drain=self.drain, heartbeat_interval_s=self.heartbeat_interval_s,
                            heartbeat_stop=self.stops))

    def report(self, key, what, name, target, body):
        if what == "logs":
            log = self.logs.setdefault((*key, name), bytearray())
            offset = int(parse_qs(target.query)["offset"][0])
            if key in self.ends:
                return problem(409)
            if log[offset:offset + len(body)] != body or offset + len(body) > len(log):
                if offset != len(log):
                    return problem(409, next_offset=len(log))
                log += body
                self.chunks.append((*key, name, len(body)))
            return shell(script(next_offset=offset + len(body)))
        if what == "checkpoint":
            self.checkpoints[key[0]] = body
            return 201, "application/json", json.dumps({"sha256": hashlib.sha256(body).hexdigest()}), {}
        if what == "artifacts":
            if name in self.refused_artifacts:
                return problem(413)
            if name in self.stalled:
                self.changed.notify_all()
                self.changed.wait_for(lambda: name not in self.stalled or not self.running)
                return None
            self.artifacts[(*key, name)] = body
            return 201, "application/json", json.dumps({"sha256": hashlib.sha256(body).hexdigest()}), {}
        body = {"call": what, **json.loads(body)}
        repeated = key in self.ends
        if repeated and self.ends[key] != body:
            return problem(409)
        self.ends[key] = body
        return shell(script(report_state="ended"))


class FakeImds(Listener):
    def __init__(self, instance_id="i-0123456789abcdef0"):
        self.instance_id = instance_id
        self.action = None
        self.tokens = set()
        super().__init__()

    def interrupt(self, seconds):
        instant = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        with self.changed:
            self.action = json.dumps({"action": "terminate", "time": instant})

    def handle(self, method, path, headers, body):
        with self.changed:
            if method == "PUT" and path == "/latest/api/token":
                if not headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                    return problem(400)
                token = uuid.uuid4().hex
                self.tokens.add(token)
                return 200, "text/plain", token, {}
            if headers.get("X-aws-ec2-metadata-token") not in self.tokens:
                return problem(401)
            if path == "/latest/meta-data/instance-id":
                return 200, "text/plain", self.instance_id, {}
            if path == "/latest/meta-data/spot/instance-action" and self.action:
                return 200, "application/json", self.action, {}
            return problem(404)
