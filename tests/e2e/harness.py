"""Starts the real parts for end-to-end and fault tests: a private PostgreSQL, `drover localcloud`, `drover serve`.

Everything listens on loopback or a Unix socket, lives below one temporary directory and is ended by close().
"""
import contextlib
import http.client
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

from gate import Gate, unix_socket_of

BINARY = os.environ.get("DROVER_BINARY", "")
PG_BIN = "/usr/lib/postgresql/15/bin"
ACCESS_KEY = "AKIDLOCAL"
SECRET_KEY = "local-secret-key"
REGION = "local-1"


# Seconds that a test waits for what must come, whatever else the machine does: never what is measured.
PATIENCE = 300


def wait_for(condition, what, timeout=PATIENCE, every=0.02):
    """Polls until condition() is truthy and returns it; fails with `what` and its last value."""
    deadline = time.monotonic() + timeout
    value = None
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {timeout} s: {what}; last seen: {value!r}")


def free_port():
    """A port that nobody listens on, below those that the kernel gives to outgoing connections: one of these may take it
    before the daemon does, and a worker that calls a daemon which is away can even be connected to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as limits:
        first = int(limits.read().split()[0])
    for port in random.sample(range(max(1024, first - 12000), first), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError(f"no port below {first} is free")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def call(port, method, path, body=None, headers=None, timeout=PATIENCE):
    """One HTTP request on a connection of its own; a dict or list body goes as JSON."""
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers)
        reply = connection.getresponse()
        return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
    finally:
        connection.close()


def try_call(*arguments, timeout=30, **options):
    """call(), or None when nobody answers."""
    try:
        return call(*arguments, timeout=timeout, **options)
    except (OSError, http.client.HTTPException):
        return None


class Postgres:
    """A cluster of its own on a Unix socket; durable settings as they come (fsync and synchronous_commit on)."""

    def __init__(self, base):
        self.directory = os.path.join(base, "pg")
        self.process = None
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            self.user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
            os.mkdir(self.directory)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        else:
            self.user = []
            os.mkdir(self.directory)
        subprocess.run([*self.user, f"{PG_BIN}/initdb", "-N", "-U", "drover", "-A", "trust", "-D",
                        f"{self.directory}/data"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        self.start()
        self.sql("CREATE DATABASE drover", database="postgres")

    @property
    def conninfo(self):
        return f"host={self.directory} dbname=drover user=drover"

    def start(self):
        self.process = None

        def ready():
            # After a kill the first try may meet what the last processes of the killed server still hold.
            if self.process is None or self.process.poll() is not None:
                self.spawn()
            return self.ready()
        wait_for(ready, "PostgreSQL to accept connections")

    def spawn(self):
        with open(f"{os.path.dirname(self.directory)}/pg.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.user, f"{PG_BIN}/postgres", "-D", f"{self.directory}/data", "-k", self.directory,
                 "-c", "listen_addresses=", "-c", "max_connections=60"],
                stdout=subprocess.DEVNULL, stderr=log, cwd="/")

    def ready(self):
        return subprocess.run([f"{PG_BIN}/pg_isready", "-q", "-h", self.directory], check=False).returncode == 0

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        self.process.wait()

    def kill(self):
        """kill -9 of all its processes. The first is stopped before: it is to make no more of them."""
        self.process.send_signal(signal.SIGSTOP)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True,
                                  check=False).stdout
        for pid in [self.process.pid, *map(int, children.split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def sql(self, text, database="drover"):
        done = subprocess.run([f"{PG_BIN}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.directory,
                               "-U", "drover", "-d", database, "-c", text],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip()


class Cloud:
    """`drover localcloud`."""

    def __init__(self, base, options=()):
        self.data = os.path.join(base, "cloud")
        os.mkdir(self.data)
        self.process = subprocess.Popen(
            [BINARY, "localcloud", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--data", self.data,
             "--terminate-on-exit", "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--region", REGION,
             *options],
            stdout=subprocess.PIPE, stderr=open(f"{base}/cloud.log", "ab"), text=True)
        ready = json.loads(self.process.stdout.readline())
        self.endpoint = ready["endpoint"]
        self.control_port = urllib.parse.urlsplit(ready["control"]).port

    def control(self, method, path, body=None):
        answer = call(self.control_port, method, path, body)
        assert answer.status < 300, answer
        return answer

    def ec2(self, action, **parameters):
        """A call of the EC2 API by another program of the account (curl signs it); its answer's text."""
        form = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15",
                                       **{name.replace("_", "."): value for name, value in parameters.items()}})
        done = subprocess.run(["curl", "-q", "-sS", "-f", "-K", "-", "--noproxy", "*", "--aws-sigv4", f"aws:amz:{REGION}:ec2",
                               "-d", form, self.endpoint], input=f'user = "{ACCESS_KEY}:{SECRET_KEY}"\n', check=False,
                              capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout

    def instances(self, *states):
        listed = self.control("GET", "/instances").json
        return [one for one in listed if not states or one["state"] in states]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=PATIENCE)


class Stack:
    """The whole of it.

    `pool` overrides members of the one pool, "default"; `settings` are patched into /config once it leads; `config`
    overrides the configuration file, by section. `gates` names what goes through a gate ("store", "cloud", "worker":
    what the workers call), found as .gates[name]. `prefix` comes before the daemon's command (prlimit),
    `arguments` after it, and `env` into its environment; all may be changed before a restart.
    """

    def __init__(self, pool=None, settings=None, config=None, gates=(), prefix=(), arguments=(), env=None,
                 cloud_options=()):
        assert BINARY, "DROVER_BINARY names no binary: run through ctest or tests/run.sh"
        self.base = tempfile.mkdtemp(prefix="drover-e2e-")
        os.chmod(self.base, 0o755)
        self.daemon = None
        self.cloud = None
        self.postgres = None
        self.gates = {}
        self.prefix = list(prefix)
        self.arguments = list(arguments)
        self.env = dict(env or {})
        self.log_path = f"{self.base}/daemon.log"
        try:
            self.postgres = Postgres(self.base)
            self.cloud = Cloud(self.base, cloud_options)
            self.port = free_port()
            self.open_gates(gates)
            self.write_config(pool or {}, config or {})
            self.start_daemon()
            if settings:
                assert self.call("PATCH", "/config", settings).status == 200
        except BaseException:
            self.close()
            raise

    def open_gates(self, names):
        cloud = urllib.parse.urlsplit(self.cloud.endpoint)
        targets = {"store": unix_socket_of(self.postgres), "cloud": (cloud.hostname, cloud.port),
                   "worker": ("127.0.0.1", self.port)}
        for name in names:
            self.gates[name] = Gate(targets[name])

    def write_config(self, pool, config):
        gates = {name: gate.port for name, gate in self.gates.items()}
        store = f"host=127.0.0.1 port={gates['store']} dbname=drover user=drover" if "store" in gates else None
        cloud = f"http://127.0.0.1:{gates['cloud']}" if "cloud" in gates else self.cloud.endpoint
        os.makedirs(f"{self.base}/artifacts", exist_ok=True)
        sections = {
            "server": {"listen": f"127.0.0.1:{self.port}"},
            "store": {"conninfo": store or self.postgres.conninfo},
            "worker": {"url": f"http://127.0.0.1:{gates.get('worker', self.port)}"},
            "artifacts": {"directory": f"{self.base}/artifacts"},
            "cloud": {"endpoint": cloud, "region": REGION, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY},
        }
        for section, members in config.items():
            sections.setdefault(section, {}).update(members)
        members = {"name": "default", "min": 0, "max": 4, "slots": 2, "image": "ami-local",
                   "instance_types": ["local.small"], "idle_timeout_s": 300, "queues": ["default"]}
        members.update(pool)
        with open(f"{self.base}/drover.toml", "w", encoding="utf-8") as file:
            for section, values in [*((f"[{name}]", values) for name, values in sections.items()),
                                    ("[[pool]]", members)]:
                file.write(section + "\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))

    def spawn(self, port=None, replace=None):
        """One more daemon process on the same store (for standby tests on another port). `replace`: what is written
        otherwise in its configuration, old text → new."""
        config = f"{self.base}/drover.toml"
        if port is not None:
            with open(config, encoding="utf-8") as own:
                text = re.sub('listen = "127.0.0.1:[0-9]+"', f'listen = "127.0.0.1:{port}"', own.read())
            for old, new in (replace or {}).items():
                assert old in text, f"{old} is not in the configuration"
                text = text.replace(old, new)
            config = f"{self.base}/drover-{port}.toml"
            with open(config, "w", encoding="utf-8") as other:
                other.write(text)
        with open(self.log_path, "ab") as log:
            return subprocess.Popen([*self.prefix, BINARY, "serve", "--config", config, *self.arguments],
                                    stdout=subprocess.DEVNULL, stderr=log, env={**os.environ, **self.env})

    def start_daemon(self, wait=True):
        self.daemon = self.spawn()
        if wait:
            self.wait_ready()

    def wait_ready(self, port=None):
        def ready():
            if port is None and self.daemon.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.daemon.returncode}: {self.daemon_log()[-3000:]}")
            answer = try_call(port or self.port, "GET", "/readyz")
            return answer and answer.status == 200
        wait_for(ready, "/readyz to answer 200")

    def kill_daemon(self):
        self.daemon.kill()
        self.daemon.wait()

    def daemon_log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def call(self, method, path, body=None, headers=None, **options):
        return call(self.port, method, path, body, headers, **options)

    def submit(self, jobs):
        """Submits one job or a list; returns what the API answered."""
        answer = self.call("POST", "/jobs", jobs)
        assert answer.status == 201, answer
        return answer.json

    def job(self, job):
        answer = self.call("GET", f"/jobs/{job}")
        assert answer.status == 200, answer
        return answer.json

    def wait_state(self, job, *states):
        seen = {}

        def reached():
            seen.clear()
            seen.update(self.job(job))
            return seen if seen["state"] in states else None
        try:
            return wait_for(reached, f"job {job} to be {states}")
        except AssertionError as error:
            raise AssertionError(f"{error}\nexplain: {self.call('GET', f'/jobs/{job}/explain').text}\n"
                                 f"daemon: {self.daemon_log()[-3000:]}") from None

    def log_of(self, job, stream="stdout", attempt=None):
        answer = self.call("GET", f"/jobs/{job}/logs/{stream}" + (f"?attempt={attempt}" if attempt else ""))
        return answer.text if answer.status == 200 else ""

    def attempts(self, job):
        return self.call("GET", f"/jobs/{job}/attempts").json

    def metric(self, start):
        """Sum of the samples whose line begins with `start`."""
        lines = self.call("GET", "/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))

    def rounds(self, count):
        """Waits until the reconciler has gone round `count` more times."""
        start = self.metric("drover_reconcile_ticks_total")
        wait_for(lambda: self.metric("drover_reconcile_ticks_total") >= start + count, f"{count} rounds")

    def close(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        for gate in self.gates.values():
            gate.close()
        if self.cloud:
            self.cloud.stop()
        if self.postgres and self.postgres.process and self.postgres.process.poll() is None:
            self.postgres.stop()
        reports = self.sanitizer_reports()
        if not os.environ.get("DROVER_KEEP"):
            shutil.rmtree(self.base, ignore_errors=True)
        assert not reports, reports

    def sanitizer_reports(self):
        """What a sanitizer said in the logs of the daemon and the local cloud; empty with a build that has none."""
        for name in ("daemon.log", "cloud.log"):
            if os.path.exists(path := f"{self.base}/{name}"):
                with open(path, encoding="utf-8", errors="replace") as log:
                    text = log.read()
                if found := re.search(r"(WARNING: ThreadSanitizer|ERROR: \w+Sanitizer|runtime error:).*", text):
                    return f"{name}: {text[found.start():found.start() + 5000]}"
        return ""


@contextlib.contextmanager
def stack(**options):
    running = Stack(**options)
    try:
        yield running
    finally:
        running.close()


def shell(text, **members):
    """A job spec that runs shell text."""
    return {"task": {"command": text}, **members}


def instance_processes(stack, instance):
    """All processes of a local instance: its user data runs below the instance's own directory."""
    pids = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as environ:
                mine = f"{stack.cloud.data}/".encode() in environ.read() and instance.encode()
            with open(f"/proc/{entry}/environ", "rb") as environ:
                if mine and instance.encode() in environ.read():
                    pids.append(int(entry))
        except OSError:
            continue
    return pids


def attempt_headers(stack, instance):
    """What the worker on that instance would send with a report of its attempt: both tokens, which it holds in memory only."""
    pattern = re.compile(rb'Authorization: Bearer ([\w.-]+)"\nheader = "X-Drover-Attempt-Token: ([\w.-]+)"')
    for pid in instance_processes(stack, instance):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found = next(filter(None, (pattern.search(text) for text in memory_of(pid))), None)
            if found:
                return {"Authorization": f"Bearer {found[1].decode()}", "X-Drover-Attempt-Token": found[2].decode()}
    raise AssertionError(f"no process of {instance} holds an attempt's tokens")


def memory_of(pid):
    """What the process can write to, piece by piece."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, access = line.split()[:2]
            if access.startswith("rw"):
                start, end = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                yield memory.read(end - start)


def user_data_of(instance):
    """The user data of an instance as the local cloud's control API lists it."""
    with open(f"{instance['directory']}/user-data", encoding="utf-8") as text:
        return text.read()
