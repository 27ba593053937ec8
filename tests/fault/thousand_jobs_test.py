"""A thousand jobs over ten instances, one of which is interrupted every few seconds: with notice, without, in turn."""
import os
import random
import sys
import threading
import time
from collections import Counter, defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import shell, stack, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402

JOBS, INSTANCES = 1000, 10
EVERY = 2  # seconds from one interruption to the next
SETTINGS = {"heartbeat_interval_s": 1, "notice_poll_s": 1, "reconcile_interval_s": 1, "max_launches_per_minute": 1000}

# All instances are this one machine, so that what its processes record is one order of events. A job holds the lock of
# its number as long as any process of it lives: who finds it taken runs beside an earlier attempt.
RECORD = """
cd "{marks}"; exec 9>"lock/$DROVER_JOB_NUMBER"; how=alone; flock -n 9 || how=beside
echo "start $DROVER_JOB_NUMBER $DROVER_ATTEMPT $how" >> record
{work}
echo "end $DROVER_JOB_NUMBER $DROVER_ATTEMPT $how" >> record
echo $((DROVER_JOB_NUMBER * DROVER_JOB_NUMBER))
"""
SHORT = "sleep 0.3"
# Every twentieth job is long, and goes on from its checkpoint.
LONG = """
from=0; if [ "$DROVER_RESUME" = 1 ]; then from=$(cat "$DROVER_CHECKPOINT_DIR/step"); fi
for step in $(seq $((from + 1)) 8); do
  sleep 0.5; echo "step $DROVER_JOB_NUMBER $DROVER_ATTEMPT $step" >> record
  echo $step > "$DROVER_CHECKPOINT_DIR/new"; mv "$DROVER_CHECKPOINT_DIR/new" "$DROVER_CHECKPOINT_DIR/step"
done
"""


class Interruptions:
    """Takes a machine that runs jobs away every EVERY seconds, until it is left."""

    def __init__(self, drover, seed):
        self.drover, self.random = drover, random.Random(seed)
        self.done = Counter()
        self.victims = set()
        self.over = threading.Event()
        self.failed = None
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        try:
            while not self.over.wait(EVERY):
                busy = self.drover.postgres.sql("SELECT DISTINCT w.instance_id FROM lease l JOIN worker w ON w.id = l.worker "
                                                "WHERE w.state = 'active'").split()
                choice = sorted(set(busy) - self.victims)
                if not choice:
                    continue
                victim = self.random.choice(choice)
                self.victims.add(victim)
                how, body = (("interrupt", {"notice_s": 6}), ("kill", {}))[sum(self.done.values()) % 2]
                self.drover.cloud.control("POST", f"/instances/{victim}/{how}", body)
                self.done[how] += 1
        except BaseException as error:
            self.failed = error
            raise


def count(drover, condition):
    return int(drover.postgres.sql(f"SELECT count(*) FROM jobs WHERE {condition}"))


def test_a_thousand_jobs_survive_an_interruption_every_few_seconds():
    with stack(pool={"max": INSTANCES, "max_increase": INSTANCES, "slots": 4}, settings=SETTINGS) as drover:
        ledger = Ledger(drover)
        marks = f"{drover.base}/marks"
        os.makedirs(f"{marks}/lock")
        started = time.monotonic()
        submitted = ledger.submit([shell(RECORD.format(marks=marks, work=LONG if i % 20 == 0 else SHORT), name=f"job {i}")
                                   for i in range(JOBS)])
        assert submitted is not None and submitted.status == 201
        numbers = [job["number"] for job in submitted.json]
        with Interruptions(drover, seed=1) as interruptions:
            wait_for(lambda: count(drover, "state = 'succeeded'") == JOBS or count(drover, "state = 'failed'"),
                     "all jobs to end", every=0.5)
        took = time.monotonic() - started
        assert interruptions.failed is None
        drover.rounds(2)
        print(f"{JOBS} jobs in {took:.0f} s, machines taken: {dict(interruptions.done)}, attempts:",
              drover.postgres.sql("SELECT outcome, count(*) FROM attempt GROUP BY 1").split())
        assert count(drover, "state = 'succeeded'") == JOBS
        assert min(interruptions.done["interrupt"], interruptions.done["kill"]) >= 3, interruptions.done
        assert count(drover, "interruptions > 0") >= 10, "the interruptions hit hardly anyone"
        check_sums(drover, interruptions.victims)
        check_record(drover, marks, numbers)
        for number in numbers:
            assert drover.log_of(number).splitlines()[-1] == str(number * number)
        common_end(drover, ledger)


def check_sums(drover, victims):
    """The job's counters, the attempts and the events tell the same story."""
    # A claim whose worker dies before it has the answer is returned, and counts as nothing.
    wrong = drover.postgres.sql("""
        WITH a AS (SELECT number, count(*) AS n, max(attempt) AS last,
                          count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
                          count(*) FILTER (WHERE outcome = 'infra') AS infra,
                          count(*) FILTER (WHERE outcome = 'interruption') AS interruptions,
                          count(*) FILTER (WHERE outcome = 'returned') AS returned
                     FROM attempt GROUP BY 1),
             e AS (SELECT job AS number, count(*) FILTER (WHERE kind = 'claimed') AS claimed,
                          count(*) FILTER (WHERE kind = 'interruption') AS interruptions,
                          count(*) FILTER (WHERE kind = 'infra') AS infra,
                          count(*) FILTER (WHERE kind = 'succeeded') AS succeeded
                     FROM event WHERE job IS NOT NULL GROUP BY 1)
        SELECT j.number, j.attempts, j.interruptions, j.infra, a.*, e.*
          FROM jobs j JOIN a USING (number) JOIN e USING (number)
         WHERE NOT (j.failures = 0 AND j.attempts = 1 + j.interruptions + j.infra + a.returned
                    AND j.attempts = a.n AND a.last = a.n AND a.n = e.claimed AND a.succeeded = 1 AND e.succeeded = 1
                    AND (j.interruptions, j.infra) = (a.interruptions, a.infra)
                    AND (a.interruptions, a.infra) = (e.interruptions, e.infra))""")
    assert not wrong, wrong
    interrupted = drover.postgres.sql("SELECT DISTINCT w.instance_id FROM attempt a JOIN worker w ON w.id = a.worker "
                                      "WHERE a.outcome = 'interruption'").split()
    assert set(interrupted) <= victims, "interrupted on a machine that nobody took"


def check_record(drover, marks, numbers):
    """What the jobs' own processes saw: no attempt ran twice, and none beside another that was not lost before."""
    outcome = {tuple(map(int, line.split("|")[:2])): line.split("|")[2]
               for line in drover.postgres.sql("SELECT number, attempt, outcome FROM attempt").splitlines()}
    starts, ends, beside, ran_on, steps = Counter(), Counter(), [], [], defaultdict(list)
    with open(f"{marks}/record", encoding="utf-8") as record:
        for line in record:
            what, number, attempt, how = line.split()
            key = int(number), int(attempt)
            if what != "start" and any(job == key[0] and later > key[1] for job, later in beside):
                ran_on.append(key)
            if what == "step":
                steps[int(number)].append(int(how))
                continue
            (starts if what == "start" else ends)[key] += 1
            if how == "beside" and what == "start":
                beside.append(key)
    assert [key for key, times in (*starts.items(), *ends.items()) if times > 1] == [], "an attempt ran twice"
    assert set(starts) <= set(outcome), "somebody ran what nobody had claimed"
    for number in numbers:
        last = max(attempt for job, attempt in outcome if job == number)
        assert outcome[number, last] == "succeeded" and (number, last) in ends, f"job {number} has not run to its end"
    # With a notice the job is ended before it is given back, and a machine that is gone runs nothing: only a worker
    # that is out of reach may run on beside the next attempt, and its attempt has ended as infra. A process that was
    # killed holds its lock until the system has come to end it, which takes a while on a busy machine; it does nothing.
    assert [key for key in ran_on if outcome[key] != "infra"] == []
    resumed = [number for number, seen in steps.items() if (number, 1) not in ends and len(seen) < 16]
    print(f"{len(steps)} long jobs, resumed in the middle: {len(resumed)}; beside an earlier attempt: {len(beside)}")
    for number, seen in steps.items():
        assert seen[-1] == 8 and set(seen) == set(range(1, 9)), (number, seen)
