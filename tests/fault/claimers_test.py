"""Two hundred workers claim at once while some of them die at random: each (job, attempt) is claimed by one of them only."""
import os
import random
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import PATIENCE, shell, stack, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402
from protocol import ProtocolWorker, add_inert_pool  # noqa: E402

CLAIMERS, JOBS = 200, 1000
SETTINGS = {"heartbeat_interval_s": 1, "lease_s": 8, "reconcile_interval_s": 1, "max_launches_per_minute": 10_000}


class Claimer(threading.Thread):
    """Claims, works a moment, reports; until all is done, or until it dies: at a point of its own choice, without a word."""

    def __init__(self, worker, test, seed):
        super().__init__(daemon=True)
        self.worker, self.test, self.random = worker, test, random.Random(seed)
        self.claims = []  # (job, attempt) of every answer, repeats included
        self.died = ""
        self.failed = None

    def run(self):
        try:
            while not self.died and not self.test.over.is_set():
                self.round()
        except BaseException as error:
            self.failed = error
            raise

    def round(self):
        nonce, chance = uuid.uuid4().hex, self.random.random()
        jobs = self.claimed(self.worker.try_claim(nonce, slots=2, wait_s=2))
        if jobs and chance < 0.3:  # as if the answer had been lost
            assert self.claimed(self.worker.try_claim(nonce, slots=2)) == jobs, "the same nonce, the same attempts"
        if jobs and self.random.random() < self.test.death_rate and self.test.may_die(jobs):
            self.died = self.random.choice(("silently", "with its machine"))
            if self.died == "with its machine":
                self.test.drover.cloud.control("POST", f"/instances/{self.worker.instance}/kill", {})
            return
        time.sleep(self.random.random() * 0.2)
        for job in jobs:
            answer = self.worker.try_report(job)
            if self.random.random() < 0.1:
                answer = self.worker.try_report(job)
            assert answer and answer.status == 200, answer

    def claimed(self, answer):
        """The jobs of an answer. Each call is answered: nothing is broken here but the claimers."""
        assert answer and answer.status == 200, answer
        self.claims += [(job["number"], job["attempt"]) for job in answer.json["jobs"]]
        return answer.json["jobs"]


class Claimers:
    death_rate = 0.1

    def __init__(self, drover):
        self.drover, self.over, self.lock, self.deaths = drover, threading.Event(), threading.Lock(), 0

    def may_die(self, jobs):
        """Three silent deaths of one job would park it as poison: a job takes one worker with it, no more."""
        with self.lock:
            if any(job["attempt"] > 1 for job in jobs) or self.deaths >= CLAIMERS * 3 // 4:
                return False
            self.deaths += 1
            return True


def test_two_hundred_claimers_die_at_random_and_each_attempt_is_claimed_once():
    with stack(settings=SETTINGS) as drover:
        ledger = Ledger(drover)
        test = Claimers(drover)
        instances = add_inert_pool(drover, "claimed", CLAIMERS, slots=2)
        workers = [ProtocolWorker(drover, one, slots=2).register() for one in instances]
        claimers = [Claimer(worker, test, seed) for seed, worker in enumerate(workers)]
        for one in claimers:
            one.start()
        specs = [shell("true", name=f"job {i}", queue="claimed") for i in range(JOBS)]
        try:
            for start in range(0, JOBS, 50):  # in portions, so that most polls wait when jobs come
                ledger.submit(specs[start:start + 50])
                time.sleep(0.1)

            def done():
                assert not [one.failed for one in claimers if one.failed], [one.failed for one in claimers if one.failed][0]
                return drover.postgres.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == str(JOBS)
            wait_for(done, "all jobs to succeed", every=0.3)
        finally:
            test.over.set()
            for one in claimers:
                one.join(timeout=PATIENCE)
        deaths = Counter(one.died for one in claimers if one.died)
        outcomes = drover.postgres.sql("SELECT outcome, count(*) FROM attempt GROUP BY 1 ORDER BY 1").split()
        print(f"deaths: {dict(deaths)}, attempts: {outcomes}")
        assert min(deaths["silently"], deaths["with its machine"]) >= 10, deaths
        holders = defaultdict(set)
        for one in claimers:
            for attempt in one.claims:
                holders[attempt].add(one.worker.id)
        assert [key for key, who in holders.items() if len(who) > 1] == [], "an attempt was given to two workers"
        stored = {(int(number), int(attempt)): worker for number, attempt, worker in
                  (line.split("|") for line in drover.postgres.sql("SELECT number, attempt, worker FROM attempt").splitlines())}
        assert {key: {str(who)} for key, who in stored.items() if key in holders} == \
            {key: {str(one) for one in who} for key, who in holders.items()}, "and the store says the same"
        common_end(drover, ledger)
