"""Clients, operators and workers that try again until they are answered, as real ones do."""
import uuid

from harness import shell, try_call, wait_for
from ledger import Ledger
from protocol import INERT, ProtocolWorker

QUEUE = "crash"  # of a pool of inert machines: the workers are the test's own


def is_stopped(process):
    """By SIGSTOP."""
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


class Clients:
    """On a stack, to which it adds the pool. Override revive() to mend what the test has broken before each new try."""

    def __init__(self, drover):
        self.drover = drover
        self.ledger = Ledger(drover)
        self.size = 0  # of the pool
        self.workers = {}  # registered there, by instance
        # The pool of the configuration file is made a moment after the start; no commit is to come in between later.
        self.reached("the first pool", lambda: [one for one in self.call("GET", "/pools").json if one["name"] == "default"])
        self.call("POST", "/pools", {**INERT, "name": QUEUE, "min": 0, "max": 0, "slots": 4}, status=201)

    def revive(self):
        pass

    def reached(self, what, condition):
        """Waits for it, through the daemon's death."""
        def seen():
            self.revive()
            return condition()
        return wait_for(seen, what, every=0.05)

    def asked(self, method, path, body=None, headers=None):
        return self.answer(try_call(self.drover.port, method, path, body, headers))

    @staticmethod
    def answer(answer):
        """None: the client is to try again."""
        return None if answer is None or answer.status in (429, 503) else answer

    def call(self, method, path, body=None, headers=None, status=200):
        answer = self.reached(f"{method} {path}", lambda: self.asked(method, path, body, headers))
        assert answer.status == status, answer
        return answer

    def submit(self, **members):
        """A job that the store has, as its client knows; the first answer counts."""
        answer = self.reached("a job to be taken", lambda: self.answer(self.ledger.submit(shell("true", queue=QUEUE, **members))))
        assert answer.status == 201, answer
        return answer.json

    def claimed(self, worker, nonce):
        answer = self.reached("a claim's answer", lambda: self.answer(worker.try_claim(nonce, wait_s=1)))
        assert answer.status == 200, answer
        return answer.json["jobs"]

    def open_attempt(self, worker, **members):
        """A job that this worker runs."""
        job = self.submit(**members)
        # An answer without a job is one: the next question has a nonce of its own, as a worker's would.
        (attempt,) = self.reached("its claim", lambda: self.claimed(worker, uuid.uuid4().hex))
        assert attempt["number"] == job["number"]
        return attempt

    def report(self, worker, attempt, body=None):
        answer = self.reached("a report's answer", lambda: self.answer(worker.try_report(attempt, body=body)))
        assert answer.status == 200, answer
        return answer.json

    def attempts(self, attempt):
        return [one["outcome"] for one in self.call("GET", f"/jobs/{attempt['number']}/attempts").json]

    def resize(self, size):
        """Until the pool has so many machines, in the cloud and in the store."""
        self.size = size
        self.call("PATCH", f"/pools/{QUEUE}", {"min": size, "max": size})
        known = "SELECT w.instance_id FROM worker w JOIN pool p ON p.id = w.pool WHERE w.state <> 'gone' AND p.name = 'crash'"

        def reached():
            stored = set(self.drover.postgres.sql(known).split())
            machines = {one["id"] for one in self.drover.cloud.instances("pending", "running")
                        if one["tags"].get("drover:pool") == QUEUE}
            return (stored or True) if stored == machines and len(stored) == size else None
        found = self.reached(f"{size} machines", reached)
        return set() if found is True else found

    def register_all(self, instances):
        for gone in set(self.workers) - instances:
            del self.workers[gone]
        running = {one["id"]: one for one in self.drover.cloud.instances()}
        for instance in instances - set(self.workers):
            worker = ProtocolWorker(self.drover, running[instance], slots=4)
            answer = self.reached("a worker to register", lambda w=worker: self.answer(w.try_register())).json
            worker.id, worker.token = answer["worker_id"], answer["token"]
            self.workers[instance] = worker

    def worker(self):
        """One that is registered and has nothing to do."""
        if not self.workers:
            self.register_all(self.resize(max(self.size, 1)))
        return next(iter(self.workers.values()))
