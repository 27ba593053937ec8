"""The worker program killed at each of its steps: no job is lost, none is counted as failed, no late word changes a result.

The program is run as it is, but for a DEBUG trap in front: bash calls it before every command, with the functions it is in
and the line, and that is what a step is called here. A first run writes down the steps; then, for each, one copy is killed
there, on a machine of its own which stays up, so that whatever the copy leaves running runs on. DROVER_SOAK=1 kills each
kind of victim at each step, otherwise they take turns.
"""
import glob
import os
import re
import signal
import subprocess
import sys
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import shell, stack, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "worker"))
from fake_daemon import worker_program  # noqa: E402
from protocol import add_inert_pool, bootstrap_token, inert_instances  # noqa: E402

SETTINGS = {"heartbeat_interval_s": 2, "lease_s": 8, "notice_poll_s": 1, "reconcile_interval_s": 1,
            "max_launches_per_minute": 10_000}
SOAK = bool(os.environ.get("DROVER_SOAK"))

# Who is killed: the main loop alone, whose helpers run on; the process that is at this step; all of the worker. The job
# is in a session of its own, and is left behind by each.
VICTIMS = {"main": "kill -9 $$", "own": "kill -9 $BASHPID", "all": "kill -9 -- -$$"}
# One line, so that the program's keep their numbers.
TRAP = """set -u; set -T; trap '\
step="${FUNCNAME[*]-}@$LINENO"; \
if [[ $step == "$STEP" && ! -e $STEP_DONE ]]; then : >"$STEP_DONE"; %s; fi; \
if [[ -n $STEP_TRACE ]]; then echo "$step" >>"$STEP_TRACE"; fi' DEBUG
"""
# Commands whose effect is seen outside the program's own memory: between two of them a kill changes nothing.
EFFECT = re.compile(r"call (\d|\$)|curl -q|imds |emit |eval \"\$text|start_task (claim|beat|notice)|\"run_\$task\"|mkdir -p|"
                    r"run_attempt \"|start_job|setsid|await_job|kill_rest|kill -s|persist|tar -|write_intent \"|await_rest|"
                    r"open_streams|close_streams|send_report|rm -rf|mv \"|register \|\||\"\$offset\" >|term_job|signal_targets|"
                    r"enter_cgroup|remove_cgroup|report_at_once|release$")

MARK = 'echo "begin $DROVER_JOB_NUMBER $DROVER_ATTEMPT" >> "{base}/record"; echo "begin $DROVER_ATTEMPT"; '
END = 'echo "end $DROVER_JOB_NUMBER $DROVER_ATTEMPT" >> "{base}/record"; echo "end $DROVER_ATTEMPT"'
# True on the machine of a copy. One that was killed before it could claim leaves its job's first attempt to a healthy
# machine, where nothing is to be waited for.
ON_COPY = 'case $HOME in {base}/copies/*) [ $DROVER_ATTEMPT = 1 ];; *) false;; esac'
KINDS = {
    # Ends before its log was ever shipped: log and report go in one piece.
    "plain": MARK + "sleep 0.5; " + END,
    # Log, artifact and report, one after the other.
    "full": MARK + "sleep 3; echo $DROVER_ATTEMPT > $DROVER_ARTIFACT_DIR/attempt; " + END,
    # Its machine is taken away with notice: it leaves a checkpoint, and goes on elsewhere.
    "noticed": MARK + """
        if [ $DROVER_RESUME = 1 ]; then [ "$(cat $DROVER_CHECKPOINT_DIR/saved)" = "saved by 1" ] || exit 9; fi
        if """ + ON_COPY + """; then
          trap 'echo "saved by 1" > $DROVER_CHECKPOINT_DIR/saved; exit 1' TERM
          : > {base}/noticeable.$DROVER_JOB_NUMBER; while :; do sleep 0.2; done
        fi; """ + END,
    # Outlives its lease where its worker was killed, and reports when the next attempt has long succeeded.
    "late": MARK + "if " + ON_COPY + "; then until [ -e {base}/late ]; do sleep 0.2; done; fi; " + END,
}


class Copy:
    """One copy of the program on an inert machine."""

    def __init__(self, drover, kind, instance, step="", victim="all", trace=""):
        self.kind, self.step, self.victim, self.instance = kind, step, victim, instance["id"]
        work = self.work = f"{drover.base}/copies/{self.instance}"
        os.makedirs(work)
        self.done = f"{work}/step-done"
        with open(f"{work}/token", "w", encoding="utf-8") as token:
            token.write(bootstrap_token(instance) + "\n")
        env = {"PATH": os.environ["PATH"], "HOME": work, "STEP": step or "none", "STEP_DONE": self.done, "STEP_TRACE": trace,
               "DROVER_URL": f"http://127.0.0.1:{drover.port}", "DROVER_BOOTSTRAP_TOKEN_FILE": f"{work}/token",
               "DROVER_SLOTS": "1", "DROVER_WORKER_DIR": work, "AWS_EC2_METADATA_SERVICE_ENDPOINT": instance["imds"]}
        with open(f"{drover.base}/copies.log", "ab") as log:
            self.process = subprocess.Popen(["/bin/bash", f"{drover.base}/worker-{victim}"], env=env, cwd=work, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def was_killed(self):
        return os.path.exists(self.done)


class Steps:
    def __init__(self, drover):
        self.drover, self.ledger, self.copies, self.jobs, self.noticed = drover, Ledger(drover), [], {}, set()
        os.mkdir(f"{drover.base}/copies")
        self.text = worker_program()
        assert self.text.count("\nset -u\n") == 1
        for victim, how in VICTIMS.items():
            with open(f"{drover.base}/worker-{victim}", "w", encoding="utf-8") as copy:
                copy.write(self.text.replace("set -u\n", TRAP % how, 1))

    def run(self, kind, copies, trace=""):
        """Starts copies on machines of their own, [(step, victim)], with a job for each."""
        known = {one.instance for one in self.copies}
        if any(one.kind == kind for one in self.copies):
            size = len(inert_instances(self.drover, kind)) + len(copies)
            changed = self.drover.call("PATCH", f"/pools/{kind}", {"min": size, "max": size, "max_increase": size})
            assert changed.status == 200, changed
            wait_for(lambda: len(inert_instances(self.drover, kind)) >= size, f"machines of {kind}", every=0.1)
        else:
            add_inert_pool(self.drover, kind, len(copies))
        free = [one for one in inert_instances(self.drover, kind) if one["id"] not in known]
        jobs = self.ledger.submit([shell(KINDS[kind].replace("{base}", self.drover.base), name=f"{kind} {i}", queue=kind)
                                   for i in range(len(copies))]).json
        self.jobs.update({job["number"]: kind for job in jobs})
        made = [Copy(self.drover, kind, one, *copy, trace) for one, copy in zip(free, copies)]
        self.copies += made
        return made

    def give_notices(self):
        """To each machine whose job waits for it."""
        for line in self.drover.postgres.sql("SELECT l.number, w.instance_id FROM lease l JOIN worker w ON w.id = l.worker "
                                             "WHERE l.attempt = 1").splitlines():
            number, instance = line.split("|")
            if instance not in self.noticed and os.path.exists(f"{self.drover.base}/noticeable.{number}"):
                self.noticed.add(instance)
                self.drover.cloud.control("POST", f"/instances/{instance}/interrupt", {"notice_s": 15})

    def trace(self):
        """The steps of each kind that no kind before it has, in their order."""
        kinds = ("plain", "full", "noticed")
        for kind in kinds:
            self.run(kind, [("", "all")], trace=f"{self.drover.base}/trace-{kind}")

        def over():
            self.give_notices()
            states = [self.drover.job(number)["state"] for number in self.jobs]
            return states == ["succeeded", "succeeded", "queued"]
        wait_for(over, "the copies that are left alone to do their jobs", every=0.2)
        for one in self.copies:
            if one.kind == "noticed":  # it has removed its files, and waits for its machine's end
                wait_for(lambda work=one.work: not glob.glob(f"{work}/drover-worker.*"), "the noticed copy to be done")
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait()
        steps, seen = {}, set()
        for kind in kinds:
            with open(f"{self.drover.base}/trace-{kind}", encoding="utf-8") as trace:
                for step in trace.read().splitlines():
                    command = self.command(step)
                    if step not in seen and EFFECT.search(command) and not re.match(r"\w+\(\) {", command):
                        steps.setdefault(kind, []).append(step)
                    seen.add(step)
        return steps

    def command(self, step):
        return self.text.splitlines()[int(step.rsplit("@", 1)[1]) - 1].strip()

    def close(self):
        """Whatever the copies left behind: their helpers, and jobs in sessions of their own."""
        mark = f"HOME={self.drover.base}/copies/".encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/environ", "rb") as environ:
                    if mark in environ.read():
                        os.kill(int(entry), signal.SIGKILL)
            except OSError:
                continue
        for one in self.copies:
            one.process.wait()


def test_killed_at_each_of_its_steps_the_worker_loses_no_job():
    with stack(settings=SETTINGS) as drover:
        steps = Steps(drover)
        try:
            killed_at_each_step(drover, steps)
        finally:
            steps.close()


def killed_at_each_step(drover, steps):
    found, victims = steps.trace(), list(VICTIMS)
    assert len(found["plain"]) >= 25 and len(found["full"]) >= 5 and len(found["noticed"]) >= 10, found
    # The process that is about to become the job is the job: its end is the job's own.
    chosen = {kind: [(step, victim) for i, step in enumerate(some) for victim in (victims if SOAK else [victims[i % 3]])
                     if not (victim == "own" and re.search("exec setsid|enter_cgroup", steps.command(step)))]
              for kind, some in found.items()}
    chosen["late"] = [(step, "main") for step in found["plain"] if steps.command(step) == "await_job"] * 3
    wave = [copy for kind, copies in chosen.items() for copy in steps.run(kind, copies)]

    def alive():
        steps.give_notices()
        return [one for one in wave if not one.was_killed()]
    try:
        wait_for(lambda: not alive(), "every copy to be killed at its step", every=0.2)
    except AssertionError:
        # A path that the daemon's timing decides (an answer in two pieces, a try again) may be taken in one run only.
        assert len(alive()) <= len(wave) // 10, [(one.kind, one.step) for one in alive()]
    healthy = {"name": "healthy", "queues": list(KINDS), "min": 3, "max": 3, "slots": 8, "image": "ami-local",
               "instance_types": ["local.small"]}
    assert drover.call("POST", "/pools", healthy).status == 201
    for number in steps.jobs:
        drover.wait_state(number, "succeeded", "failed")
    refused = refusals(drover)
    with open(f"{drover.base}/late", "w", encoding="utf-8"):
        pass
    wait_for(lambda: refusals(drover) >= refused + len(chosen["late"]), "the late reports to be refused")
    check_jobs(drover, steps)
    common_end(drover, steps.ledger)


def refusals(drover):
    """How many calls on attempts were refused: as stale, or as a worker's that was given up."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in drover.call("GET", "/metrics").text.splitlines()
               if line.startswith("drover_http_requests_total") and "/attempts/{attempt}/" in line
               and ('"409"' in line or '"401"' in line))


def check_jobs(drover, steps):
    with open(f"{drover.base}/record", encoding="utf-8") as record:
        begun = Counter(line for line in record.read().splitlines() if line.startswith("begin"))
    assert max(begun.values()) == 1, "an attempt ran twice"
    endings = Counter()
    for number, kind in steps.jobs.items():
        job, attempts = drover.job(number), drover.attempts(number)
        assert job["state"] == "succeeded" and job["counters"]["failures"] == 0, (kind, job, attempts)
        assert job["counters"]["infra"] <= 2 and job["counters"]["interruptions"] <= 1, (kind, job, attempts)
        last = attempts[-1]["attempt"]
        assert drover.log_of(number).splitlines() == [f"begin {last}", f"end {last}"], (drover.log_of(number), kind, attempts)
        if kind == "full":
            assert drover.call("GET", f"/jobs/{number}/artifacts/attempt").text == f"{last}\n"
        endings[kind, *[one["outcome"] for one in attempts]] += 1
    print("how the attempts of each kind ended:", dict(endings))
    assert endings["late", "infra", "succeeded"] >= 3 and endings["plain", "infra", "succeeded"] >= 5, endings
