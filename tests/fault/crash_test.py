"""Kills the daemon at every named point (drover/base/failpoint.hpp) of what must survive a crash: at the first that a scenario
passes, at the second, and so on until the scenario runs through untouched. Its client tries again, as a real one does, and
after each death the daemon is started anew and what was acknowledged is looked for in the store. DROVER_SOAK=1: for longer,
and with the deaths of the store at the points of more scenarios."""
import datetime
import glob
import hashlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from clients import QUEUE, Clients, is_stopped  # noqa: E402
from harness import BINARY, PATIENCE, shell, stack, wait_for  # noqa: E402
from ledger import check_fleet, common_end  # noqa: E402

SOURCE = os.environ.get("DROVER_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
SOAK = bool(os.environ.get("DROVER_SOAK"))
SETTINGS = {"heartbeat_interval_s": 1, "reconcile_interval_s": 1, "max_launches_per_minute": 10_000, "lease_s": 600}

# Which points each scenario dies at, by the beginnings of their names.
POINTS = {
    "submit": ("api.submit", "commit.insert_jobs."),
    "launch": ("launch.", "commit.insert_launch.", "commit.record_launch.", "api.register", "commit.register_worker."),
    "claim": ("api.claim", "commit.claim_job."),
    "finish": ("api.report", "commit.end_attempt."),
    "files": ("api.log", "log.", "api.artifact", "artifact.", "commit.put_artifact."),
    "lose": ("lose.", "commit.end_attempt."),  # of a machine that is gone: the commits are those of "terminate"
    "terminate": ("terminate.", "commit.move_worker."),
    "operate": ("commit.act_on_job.", "commit.put_pool.", "commit.set_paused.", "commit.put_settings."),
    "wake": ("commit.wake_jobs.",),
    "lead": ("lead.",),
    "migrate": ("migrate.",),
}
# Written once a minute and of no weight: when a worker was last heard of.
LEFT_OUT = ("commit.touch_workers.",)


def points_in_source():
    """The names of all points that the source has."""
    changes = [os.path.basename(path).removesuffix(".hpp") for path in glob.glob(f"{SOURCE}/include/drover/ports/changes/*.hpp")]
    names = set()
    for path in glob.glob(f"{SOURCE}/src/**/*.cpp", recursive=True):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        names.update(re.findall(r'DROVER_FAILPOINT\("([^"]+)"\)', text))
        for area, step in re.findall(r'DROVER_FAILPOINT_EACH\("([^"]+)", [^,]+, "([^"]+)"\)', text):
            names.update(f"{area}.{change}.{step}" for change in changes)
    return names


def test_every_point_in_the_source_belongs_to_a_scenario():
    covered = tuple(itertools.chain(LEFT_OUT, *POINTS.values()))
    names = points_in_source()
    assert len(names) > 60
    assert not [name for name in names if not name.startswith(covered)]


class Crash(Clients):
    """A daemon that can be told where to die, and its clients."""

    def __init__(self, drover):
        self.of_the_store = False
        self.request, self.trace = f"{drover.base}/failpoint", f"{drover.base}/passed"
        super().__init__(drover)
        drover.kill_daemon()
        drover.env = {"DROVER_FAILPOINT": f"file:{self.request}", "DROVER_FAILPOINT_TRACE": self.trace}
        drover.start_daemon()

    def arm(self, request):
        """What the daemon is to die at from now on; nothing, when it is empty."""
        with open(f"{self.request}.new", "w", encoding="utf-8") as file:
            file.write(request)
        os.replace(f"{self.request}.new", self.request)

    def revive(self):
        """Starts the daemon if it has died, with no point to die at."""
        # Of several clients that try again, one looks after the daemon.
        if threading.current_thread() is threading.main_thread() and self.drover.daemon.poll() is not None:
            assert self.drover.daemon.returncode == -9, self.drover.daemon_log()[-3000:]
            self.arm("")
            self.drover.start_daemon()

    def disarm(self):
        """Once the engine has gone on from what it answered last: until then it may die yet."""
        self.call("GET", "/scheduler")
        self.arm("")

    def point(self):
        """Where the daemon died; None: nowhere."""
        with open(self.trace, encoding="utf-8") as trace:
            hit = [name for name in trace.read().split() if name.endswith("!")]
        return hit[0][:-1] if hit else None

    def kill_the_store(self, over):
        """Once the daemon stands still, which then goes on with its store as after a crash."""
        while not over.wait(0.01):
            if is_stopped(self.drover.daemon):
                self.drover.postgres.kill()
                self.drover.postgres.start()
                self.drover.daemon.send_signal(signal.SIGCONT)
                return

    def at_point(self, prefixes, n, run):
        """Where it died when told to at the n-th passage of these; None: nowhere."""
        self.revive()
        open(self.trace, "w", encoding="utf-8").close()
        over = threading.Event()
        helper = threading.Thread(target=self.kill_the_store, args=(over,))
        if self.of_the_store:
            helper.start()
        self.arm(f"{'stop' if self.of_the_store else 'kill'}@{','.join(prefixes)}:{n}")
        run(n)
        self.disarm()
        over.set()
        if self.of_the_store:
            helper.join()
        self.ledger.check()
        return self.point()

    def at_every_point(self, scenario, run, of_the_store=False):
        """run(n) for n = 1, 2, … until it is not killed any more: the daemon, or its store."""
        self.of_the_store = of_the_store
        prefixes, hit, start = POINTS[scenario], [], time.monotonic()
        for n in itertools.count(1):
            point = self.at_point(prefixes, n, run)
            if point is None:
                break
            hit.append(point)
        wanted = {name for name in points_in_source() if name.startswith(prefixes)}
        # Two threads may have passed their points in another order each time.
        for name in wanted - set(hit):
            hit.append(self.at_point((name,), 1, run))
        self.of_the_store = False
        print(f"{scenario}: {len(hit)} deaths in {time.monotonic() - start:.1f} s:", *hit)
        assert set(hit) == wanted, f"never died at {wanted - set(hit)}"


@pytest.fixture(name="crash", scope="module")
def make_crash():
    with stack(pool={"max": 1, "slots": 1}, settings=SETTINGS) as drover:
        yield Crash(drover)


def run_submit(crash):
    name = uuid.uuid4().hex
    specs = [shell("true", name=name, queue="nobody") for _ in range(3)]
    crash.reached("three jobs to be taken", lambda: crash.answer(crash.ledger.submit(specs)))
    crash.disarm()
    stored = int(crash.drover.postgres.sql(f"SELECT count(*) FROM jobs WHERE name = '{name}'"))
    # Of the one that nobody acknowledged all is there or nothing, by whether COMMIT had been sent. A daemon that lives
    # answers it in the end: then there is no other.
    step = (crash.point() or "").rsplit(".", 1)[-1]
    expected = {"sent": [3, 6], "replied": [6], "applied": [6], "answered": [3, 6]}.get(step, [3])
    assert stored in ([3] if crash.of_the_store else expected), (step, stored)


def run_claim(crash):
    worker = crash.worker()
    attempt = crash.open_attempt(worker)
    assert attempt["attempt"] == 1
    assert crash.report(worker, attempt)["state"] == "succeeded"
    assert crash.attempts(attempt) == ["succeeded"]


def run_finish(crash):
    worker = crash.worker()
    good = crash.open_attempt(worker)
    assert crash.report(worker, good)["state"] == "succeeded"
    bad = crash.open_attempt(worker, retry={"max_attempts": 5, "backoff_s": 3600})
    failure = {"outcome": "failure", "exit_code": 3}
    assert crash.report(worker, bad, failure)["state"] == "queued"
    # Once more, as a worker does that lost the answer: nothing is counted twice.
    crash.disarm()
    assert crash.report(worker, bad, failure)["repeated"] and crash.report(worker, good)["repeated"]
    assert crash.attempts(good) == ["succeeded"] and crash.attempts(bad) == ["failure"]
    assert crash.call("GET", f"/jobs/{bad['number']}").json["counters"]["failures"] == 1


RUNS = {"submit": run_submit, "claim": run_claim, "finish": run_finish}


@pytest.mark.parametrize("scenario", RUNS)
def test_the_daemon_dies(crash, scenario):
    crash.at_every_point(scenario, lambda _: RUNS[scenario](crash))


@pytest.mark.parametrize("scenario", RUNS if SOAK else ["submit"])
def test_the_store_dies(crash, scenario):
    crash.at_every_point(scenario, lambda _: RUNS[scenario](crash), of_the_store=True)


def test_launch_and_register(crash):
    def run(_):
        crash.register_all(crash.resize(crash.size + 1))
    crash.at_every_point("launch", run)
    check_fleet(crash.drover)


def test_logs_and_artifacts(crash):
    worker = crash.worker()
    attempt = crash.open_attempt(worker)
    written, kept = b"", {}

    def run(n):
        nonlocal written
        chunk = f"line {n}\n".encode() * 1000
        crash.call("POST", worker.path(attempt, f"logs/stdout?offset={len(written)}"), chunk, worker.headers(attempt))
        written += chunk
        kept[f"file-{n}"] = content = os.urandom(50_000)
        crash.call("PUT", worker.path(attempt, f"artifacts/file-{n}"), content, worker.headers(attempt), status=201)
        job = f"/jobs/{attempt['number']}"
        assert crash.call("GET", f"{job}/logs/stdout").body == written
        listed = {one["name"]: one["sha256"] for one in crash.call("GET", f"{job}/artifacts").json}
        assert listed == {name: hashlib.sha256(one).hexdigest() for name, one in kept.items()}
        assert crash.call("GET", f"{job}/artifacts/file-{n}").body == content
    crash.at_every_point("files", run)
    assert crash.report(worker, attempt)["state"] == "succeeded"


def test_a_lost_machine(crash):
    def run(_):
        worker = crash.worker()
        attempt = crash.open_attempt(worker)
        crash.drover.cloud.control("POST", f"/instances/{worker.instance}/kill", {})
        crash.reached("its attempt to end", lambda: crash.attempts(attempt) == ["interruption"])
        crash.register_all(crash.resize(crash.size))
        job = crash.call("GET", f"/jobs/{attempt['number']}").json
        assert job["state"] == "queued" and job["counters"]["interruptions"] == 1, job
        crash.call("POST", f"/jobs/{attempt['number']}/cancel")
    crash.at_every_point("lose", run)


def test_terminate(crash):
    crash.register_all(crash.resize(max(crash.size, 24)))

    def run(_):
        crash.register_all(crash.resize(crash.size - 1))
    crash.at_every_point("terminate", run)
    check_fleet(crash.drover)


def test_operators(crash):
    def run(n):
        job = crash.submit(hold=True)
        crash.call("PATCH", "/config", {"notice_poll_s": 1 + n % 60})
        crash.call("PATCH", "/scheduler", {"is_paused": n % 2 == 0}, status=201)
        crash.call("PATCH", f"/pools/{QUEUE}", {"idle_timeout_s": 1000 + n})
        crash.call("POST", f"/jobs/{job['id']}/cancel")
        assert crash.call("GET", f"/jobs/{job['id']}").json["state"] == "cancelled"
        assert crash.call("GET", "/config").json["notice_poll_s"] == 1 + n % 60
        assert crash.call("GET", "/scheduler").json["is_paused"] == (n % 2 == 0)
        assert crash.call("GET", f"/pools/{QUEUE}").json["idle_timeout_s"] == 1000 + n
    crash.at_every_point("operate", run)
    crash.call("PATCH", "/scheduler", {"is_paused": False}, status=201)


def test_a_job_whose_time_comes(crash):
    def run(_):
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=0.3)
        job = crash.submit(run_at=soon.isoformat())
        wait = f"SELECT wake_at IS NULL FROM jobs WHERE number = {job['number']}"
        crash.reached("the job to be due", lambda: crash.drover.postgres.sql(wait) == "t")
        crash.call("POST", f"/jobs/{job['id']}/cancel")
    crash.at_every_point("wake", run)


def test_taking_the_lead(crash):
    worker = crash.worker()
    attempt = crash.open_attempt(worker)

    def run(_):
        crash.drover.kill_daemon()
        crash.drover.start_daemon(wait=False)
        crash.reached("the daemon to lead", lambda: crash.asked("GET", "/readyz"))
    crash.at_every_point("lead", run)
    assert crash.report(worker, attempt)["state"] == "succeeded"
    assert crash.attempts(attempt) == ["succeeded"]


def test_migrating(crash):
    postgres = crash.drover.postgres
    with open(f"{crash.drover.base}/drover.toml", encoding="utf-8") as text:
        config = text.read().replace("dbname=drover", "dbname=fresh")
    path = f"{crash.drover.base}/fresh.toml"
    with open(path, "w", encoding="utf-8") as text:
        text.write(config)

    def migrate(**env):
        return subprocess.run([BINARY, "migrate", "--config", path], env={**os.environ, **env}, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
    migrations = glob.glob(f"{SOURCE}/src/postgres/migrations/*.sql")
    hit = []
    for n in itertools.count(1):
        postgres.sql("DROP DATABASE IF EXISTS fresh", database="postgres")
        postgres.sql("CREATE DATABASE fresh", database="postgres")
        open(crash.trace, "w", encoding="utf-8").close()
        died = migrate(DROVER_FAILPOINT=f"kill@migrate.:{n}", DROVER_FAILPOINT_TRACE=crash.trace)
        again = migrate()
        assert again.returncode == 0, again.stderr
        assert postgres.sql("SELECT count(*) FROM schema_migrations", "fresh") == str(len(migrations))
        assert postgres.sql("SELECT count(*) FROM scheduler", "fresh") == "1"
        if died.returncode == 0:
            break
        hit.append(crash.point())
    assert set(hit) == {name for name in points_in_source() if name.startswith("migrate.")}


def test_killed_with_a_launch_on_its_way_to_the_cloud(crash):
    cloud = crash.drover.cloud
    before = crash.resize(crash.size)
    calls = cloud.control("GET", "/calls").json.get("RunInstances", 0)
    cloud.control("POST", "/delay", {"action": "RunInstances", "ms": 1500})
    crash.call("PATCH", f"/pools/{QUEUE}", {"min": crash.size + 1, "max": crash.size + 1})
    wait_for(lambda: cloud.control("GET", "/calls").json.get("RunInstances", 0) > calls, "the call to arrive")
    crash.drover.kill_daemon()
    cloud.control("POST", "/delay", {"action": "RunInstances", "ms": 0})
    crash.drover.start_daemon()
    assert len(crash.resize(crash.size + 1) - before) == 1
    check_fleet(crash.drover)


class Hand(threading.Thread):
    """Submits jobs and runs them, or the others', to some end, again and again; what is left when it is over, to a good one."""

    def __init__(self, crash, worker, over, seed):
        super().__init__(daemon=True)
        self.crash, self.worker, self.over, self.random = crash, worker, over, random.Random(seed)
        self.told = []  # (job, attempt, outcome): each acknowledged with 200
        self.failed = None

    def run(self):
        try:
            while not self.over.is_set():
                if self.random.random() < 0.6:
                    self.crash.submit(retry={"max_attempts": 100, "backoff_s": 0})
                self.work(self.random.choice(("succeeded", "succeeded", "succeeded", "failure", "release")))
            while self.work("succeeded"):
                pass
        except BaseException as error:
            self.failed = error
            raise

    def work(self, outcome):
        """False: there was nothing to do."""
        crash, worker = self.crash, self.worker
        attempts = crash.claimed(worker, uuid.uuid4().hex)
        for attempt in attempts:
            own = worker.headers(attempt)
            crash.call("POST", worker.path(attempt, "logs/stdout?offset=0"), f"by attempt {attempt['attempt']}\n", own)
            crash.call("PUT", worker.path(attempt, "artifacts/mark"), f"{attempt['attempt']}", own, status=201)
            if outcome == "release":
                crash.call("POST", worker.path(attempt, "release"), {"reason": "let go"}, own)
            else:
                crash.report(worker, attempt, {"outcome": outcome})
            self.told.append((attempt["number"], attempt["attempt"], "infra" if outcome == "release" else outcome))
        return bool(attempts)


def test_deaths_at_random_points_amid_everything_at_once(crash):
    seed = int(os.environ.get("DROVER_SEED", time.time()))
    print(f"DROVER_SEED={seed}")
    chance, over, hands = random.Random(seed), threading.Event(), []
    crash.register_all(crash.resize(6))
    for i, worker in enumerate(list(crash.workers.values())[:4]):
        # A job that lasts throughout keeps the machine from being taken for an idle one.
        crash.open_attempt(worker, name="throughout")
        hands.append(Hand(crash, worker, over, seed + i))
    for hand in hands:
        hand.start()
    deaths, end = [], time.monotonic() + (600 if SOAK else 10)
    while time.monotonic() < end:
        open(crash.trace, "w", encoding="utf-8").close()
        crash.arm(f"kill@:{chance.randrange(1, 150)}")
        crash.size = chance.choice((5, 6, 7))
        crash.asked("PATCH", f"/pools/{QUEUE}", {"min": crash.size, "max": crash.size})
        wait_for(lambda: crash.drover.daemon.poll() is not None or time.monotonic() > end, "its death")
        crash.revive()
        deaths.append(crash.point())
    over.set()
    crash.arm("")
    for hand in hands:
        # What the daemon was to die at last may still be on its way.
        wait_for(lambda one=hand: crash.revive() or not one.is_alive(), "the workers to end what they began")
        assert hand.failed is None, hand.failed
    crash.revive()
    told = [one for hand in hands for one in hand.told]
    print(f"{len(deaths)} deaths at {len(set(deaths))} points, {len(told)} attempts ended")
    stored = {tuple(line.split("|")) for line in crash.drover.postgres.sql(
        "SELECT number, attempt, outcome FROM attempt").splitlines()}
    assert len(told) == len(set(told)) and not {tuple(map(str, one)) for one in told} - stored
    for number, attempt, outcome in told:
        if outcome == "succeeded":
            assert crash.drover.log_of(number) == f"by attempt {attempt}\n"
            assert crash.call("GET", f"/jobs/{number}/artifacts/mark").text == str(attempt)
    crash.ledger.check()
    # Machines that came meanwhile are not registered, and could not be taken for idle.
    crash.register_all(crash.resize(8))
    crash.register_all(crash.resize(5))
    check_fleet(crash.drover)


def test_all_is_well_at_the_end(crash):
    common_end(crash.drover, crash.ledger)
