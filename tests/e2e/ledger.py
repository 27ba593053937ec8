"""What every fault test ends with: heal, a fresh job completes, and whatever was acknowledged is true in the store."""

from harness import shell, try_call, wait_for


class Ledger:
    """What clients were told. Thread-safe as far as list.append is."""

    def __init__(self, stack):
        self.stack = stack
        self.jobs = []  # (number, id, name), each acknowledged with 201
        self.refused = 0  # answered with anything else
        self.unknown = 0  # no answer: may be there or not

    def submit(self, specs, port=None):
        """Submits one job or a list; what is acknowledged is kept. The answer, or None when nobody gave one."""
        answer = try_call(port or self.stack.port, "POST", "/jobs", specs, timeout=60)
        if answer is None:
            self.unknown += 1
        elif answer.status != 201:
            self.refused += 1
        else:
            made = answer.json if isinstance(answer.json, list) else [answer.json]
            names = [one.get("name", "") for one in (specs if isinstance(specs, list) else [specs])]
            self.jobs += [(job["number"], job["id"], name) for job, name in zip(made, names)]
        return answer

    def check(self):
        """Every acknowledged job is in the store, once, as it was named; and the store contradicts itself nowhere."""
        stored = {}
        for line in self.stack.postgres.sql("SELECT number, id, name FROM jobs").splitlines():
            number, uuid, name = line.split("|", 2)
            assert int(number) not in stored, f"job {number} is stored twice"
            stored[int(number)] = (uuid, name)
        for number, uuid, name in self.jobs:
            assert stored.get(number) == (uuid, name), f"job {number} was acknowledged; stored: {stored.get(number)}"
        found = self.stack.postgres.sql(" UNION ALL ".join(
            f"SELECT '{what.replace(chr(39), chr(39) * 2)}: ' || broken::text FROM ({query}) AS broken"
            for what, query in CONTRADICTIONS.items()))
        assert not found, found


# Each must find nothing, at any instant.
CONTRADICTIONS = {
    "an attempt ended twice": "SELECT number, attempt FROM attempt GROUP BY 1, 2 HAVING count(*) > 1",
    "a job succeeded twice": "SELECT number FROM attempt WHERE outcome = 'succeeded' GROUP BY 1 HAVING count(*) > 1",
    "a job is final without the attempt that made it so":
        "SELECT number FROM jobs j WHERE state = 'succeeded' AND NOT EXISTS "
        "(SELECT FROM attempt a WHERE a.number = j.number AND a.outcome = 'succeeded')",
    "a job's attempts do not add up":
        "SELECT j.number, j.attempts FROM jobs j LEFT JOIN attempt a USING (number) GROUP BY j.number, j.attempts "
        "HAVING j.attempts <> count(a.*)",
    "a lease that is not the next attempt":
        "SELECT l.number FROM lease l JOIN jobs j USING (number) WHERE l.attempt <> j.attempts + 1",
    "a lease of a job that has ended": "SELECT l.number FROM lease l JOIN jobs j USING (number) WHERE j.finished_at < 'infinity'",
    "a lease of a worker that is gone": "SELECT l.number FROM lease l JOIN worker w ON w.id = l.worker WHERE w.state = 'gone'",
    "an event of a term that was over":
        "SELECT id FROM (SELECT id, epoch, max(epoch) OVER (ORDER BY id) AS latest FROM event) e WHERE epoch < latest",
    "a lease whose attempt has ended":
        "SELECT l.number FROM lease l JOIN attempt a ON a.number = l.number AND a.attempt >= l.attempt",
}


def check_fleet(stack):
    """Waits until the machines are the ones that the store knows: instances = intents, no orphan, nothing half launched."""
    def difference():
        known = set(stack.postgres.sql("SELECT instance_id FROM worker WHERE state <> 'gone'").split())
        running = {one["id"] for one in stack.cloud.instances("pending", "running")}
        open_intents = stack.postgres.sql("SELECT count(*) FROM launch WHERE state = 'intended'")
        return {"unknown to the store": running - known, "unknown to the cloud": known - running, "intents": open_intents}
    seen = {}

    def settled():
        seen.update(difference())
        return not seen["unknown to the store"] and not seen["unknown to the cloud"] and seen["intents"] == "0"
    try:
        wait_for(settled, "instances = workers, no open intent", every=0.1)
    except AssertionError as error:
        raise AssertionError(f"{error}: {seen}\n{stack.daemon_log()[-3000:]}") from None
    ours = [one for one in stack.cloud.instances() if "drover:pool" in one["tags"]]
    tokens = [one["client_token"] for one in ours]
    intents = dict(line.split("|") for line in stack.postgres.sql(
        "SELECT client_token, (request::jsonb ->> 'count') FROM launch").splitlines())
    for token in set(tokens):
        assert token in intents, f"an instance of a launch that the store does not know: {token}"
        assert tokens.count(token) <= int(intents[token]), f"launched more often than intended: {token}"


def common_end(stack, ledger=None, fleet=True):
    """The end of every scenario, once whatever was broken is healed."""
    ledger = ledger or Ledger(stack)
    def accepted():
        answer = ledger.submit(shell("echo fresh", name="fresh", priority=1000))
        return answer.json if answer and answer.status == 201 else None
    fresh = wait_for(accepted, "a fresh job to be accepted", every=0.2)
    stack.wait_state(fresh["id"], "succeeded")
    ledger.check()
    if fleet:
        check_fleet(stack)
