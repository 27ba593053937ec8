"""A worker that speaks docs/worker-protocol.md itself: the test decides what it says, when, and what it never says.

It stands on an instance of an ami-inert pool, which boots and runs nothing, and registers with the bootstrap token of that
instance's user data, as the worker program would.
"""
import re
import uuid

from harness import call, try_call, user_data_of, wait_for

INERT = {"image": "ami-inert", "instance_types": ["local.small"], "idle_timeout_s": 3600}


def add_inert_pool(stack, name, count, slots=1, **members):
    """A pool of so many machines that run nothing, for the queue of its own name. Returns its instances once they run."""
    pool = {**INERT, "name": name, "min": count, "max": count, "max_increase": count, "slots": slots, **members}
    answer = stack.call("POST", "/pools", pool)
    assert answer.status == 201, answer
    return wait_for(lambda: (lambda found: found if len(found) >= count else None)(inert_instances(stack, name)),
                    f"{count} machines of pool {name}", every=0.1)


def inert_instances(stack, pool):
    """The running instances of that pool that the store knows."""
    known = {one["instance_id"] for one in stack.call("GET", "/workers?limit=1000").json if one["pool"] == pool}
    return [one for one in stack.cloud.instances("running") if one["id"] in known]


def bootstrap_token(instance):
    return re.search(r"TOKEN='([0-9a-f]{64})'", user_data_of(instance)).group(1)


class ProtocolWorker:
    """`port`: where it finds the daemon, if not at its own port (a gate's)."""

    def __init__(self, stack, instance, slots=1, port=None):
        self.stack, self.instance, self.slots = stack, instance["id"], slots
        self.port = port or stack.port
        self.bootstrap = bootstrap_token(instance)
        self.nonce = uuid.uuid4().hex
        self.id = self.token = None

    def registration(self, **members):
        return {"instance_id": self.instance, "nonce": self.nonce, "slots": self.slots, "cpus": 1, "mem_mib": 0,
                "disk_mib": 0, "hostname": "test", "version": "test", **members}

    def try_register(self, port=None, bootstrap=None, **members):
        """One try: its answer, or None when none came."""
        return try_call(port or self.port, "POST", "/workers/register", self.registration(**members),
                        {"Authorization": f"Bearer {bootstrap or self.bootstrap}"})

    def register(self):
        def registered():
            answer = self.try_register()
            return answer if answer and answer.status == 200 else None
        answer = wait_for(registered, "a worker to register", every=0.1).json
        self.id, self.token = answer["worker_id"], answer["token"]
        return self

    def headers(self, attempt=None):
        headers = {"Authorization": f"Bearer {self.token}"}
        if attempt is not None:
            headers["X-Drover-Attempt-Token"] = attempt["token"]
        return headers

    def try_claim(self, nonce=None, slots=1, wait_s=0, port=None):
        return try_call(port or self.port, "POST", f"/workers/{self.id}/claim",
                        {"nonce": nonce or uuid.uuid4().hex, "slots": slots, "wait_s": wait_s}, self.headers())

    def claim(self, nonce=None, slots=1, wait_s=0):
        """The claimed jobs."""
        answer = self.try_claim(nonce, slots, wait_s)
        assert answer and answer.status == 200, answer
        return answer.json["jobs"]

    def beat(self, *attempts, **members):
        """A heartbeat; `members` beside the attempts: notice."""
        body = {"attempts": [{key: one[name] for key, name in
                              (("job", "number"), ("attempt", "attempt"), ("token", "token"))} for one in attempts], **members}
        return call(self.port, "POST", f"/workers/{self.id}/heartbeat", body, self.headers())

    def path(self, attempt, what):
        return f"/jobs/{attempt['number']}/attempts/{attempt['attempt']}/{what}"

    def try_report(self, attempt, what="finish", body=None, port=None):
        """One try to finish (or release): its answer, or None when none came."""
        body = body or ({"outcome": "succeeded", "exit_code": 0} if what == "finish" else {"reason": "told to stop"})
        return try_call(port or self.port, "POST", self.path(attempt, what), body, self.headers(attempt))
