"""A second daemon takes over from one that dies, is cut off or stands still; and what the first still tries comes to nothing."""
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
sys.path.insert(0, os.path.dirname(__file__))
from harness import BINARY, PATIENCE, shell, stack, wait_for  # noqa: E402
from ledger import common_end  # noqa: E402
from pair import Storm, held_jobs, pair  # noqa: E402

QUICK = {"store": {"takeover_s": 2}}


def epoch(drover):
    return int(drover.postgres.sql("SELECT epoch FROM leader"))


def test_the_standby_takes_over_when_the_leader_is_cut_off_and_when_it_is_killed():
    with pair(pool={"max": 2, "slots": 10}, gates=("store",)) as two:
        drover = two.drover
        first = two.leader
        # The second has its own way to the store.
        own = f"host=127.0.0.1 port={drover.gates['store'].port} dbname=drover user=drover"
        two.add(replace={own: drover.postgres.conninfo})
        _, release, check = held_jobs(drover, 20)
        storm = Storm(two)
        storm.acknowledged(100)

        # As when its machine vanishes: no connection is closed, nothing arrives; and that in the middle of a batch, where
        # the server waits without a limit for the rest of it.
        gate = drover.gates["store"]
        gate.drip(1_000_000)
        jobs = [shell("true # " + "x" * 2000, queue="storm", name=f"big-{i}") for i in range(1000)]
        big = threading.Thread(target=storm.ledger.submit, args=(jobs, first.port), daemon=True)
        before = gate.passed["up"]
        big.start()
        wait_for(lambda: gate.passed["up"] > before + 300_000, "a part of the batch to pass", every=0.001)
        since = time.monotonic()
        gate.hold()
        took = two.take_over(since)
        print(f"cut off: the standby led after {took:.1f} s")
        storm.acknowledged(100)
        assert "fell silent amid its work" in drover.daemon_log(), "it was not cut off in the middle of a batch"
        gate.heal()
        wait_for(first.stands_by, "the one that was cut off to stand by")

        two.standby = first
        storm.acknowledged(100)
        since = time.monotonic()
        two.leader.process.kill()
        two.leader.process.wait()
        took = two.take_over(since)
        print(f"killed: the standby led after {took:.1f} s")
        storm.acknowledged(100)
        ledger = storm.end()
        release()
        check()
        assert epoch(drover) == 3
        assert len(drover.cloud.instances()) == 2, "a change of leader launches nothing anew"
        common_end(drover, ledger)


# Where the leader is stopped, for longer than the store waits for it, and the demand that brings it there.
MOMENTS = {
    "commit.insert_jobs.written:20": "submit",
    "commit.insert_jobs.sent:20": "submit",
    "commit.end_attempt.written:1": "job",
    "launch.intended:1": "launch",
    "launch.call:1": "launch",
    "terminate.call:1": "idle",
    "lead.read:1": "lead",
}
if os.environ.get("DROVER_SOAK"):
    MOMENTS |= {
        "commit.insert_jobs.formed:20": "submit",
        "commit.insert_jobs.applied:20": "submit",
        "commit.claim_job.sent:1": "job",
        "launch.called:1": "launch",
        "launch.recorded:1": "launch",
        "terminate.called:1": "idle",
        "lead.locked:1": "lead",
        "lead.epoch:1": "lead",
    }


def provoke(two, demand, name):
    """Makes the leader do what it is to be stopped at. What is to be checked afterwards."""
    drover = two.drover
    if demand == "lead":
        return lambda: None
    if demand == "submit":
        storm = Storm(two)
        return lambda: storm.end().check()
    if demand == "job":
        job = drover.submit(shell("true", name=name))
    if demand in ("launch", "idle"):
        pool = {"name": name, "queues": [name], "image": "ami-local", "instance_types": ["local.small"], "min": 0,
                "max": 1, "slots": 1, "idle_timeout_s": 0 if demand == "idle" else 300}
        assert drover.call("POST", "/pools", pool).status == 201
        job = drover.submit(shell("true", name=name, queue=name))

    def check():
        assert drover.wait_state(job["id"], "succeeded", "failed")["attempts"] == 1
        if demand in ("launch", "idle"):
            assert launched(drover, name) == 1, "launched twice"
        if demand == "idle":
            wait_for(lambda: not alive(drover, name), "the idle machine to be ended")
    return check


def of_pool(drover, name):
    return [one for one in drover.cloud.instances() if one["tags"].get("drover:pool") == name]


def launched(drover, name):
    return len(of_pool(drover, name))


def alive(drover, name):
    return [one for one in of_pool(drover, name) if one["state"] in ("pending", "running")]


def ask_unheard(port):
    """Sends a submission to a daemon that stands still; the socket on which its answer comes once it goes on."""
    body = b'{"name": "unheard", "task": {"command": "true"}}'
    link = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    link.sendall(b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    return link


def test_a_leader_stopped_anywhere_comes_back_as_a_standby_and_nothing_happens_twice():
    with pair(pool={"max": 1, "slots": 4, "min": 1}, config=QUICK) as two:
        drover = two.drover
        _, release, check_busy = held_jobs(drover, 2)
        for number, (moment, demand) in enumerate(MOMENTS.items()):
            began = time.monotonic()
            stopped = two.add(f"stop@{moment}")
            if demand == "lead":
                assert two.leader.end() == 0
            else:
                two.hand_over()
                two.add()
            check = provoke(two, demand, f"round-{number}")
            wait_for(stopped.is_stopped, f"the leader to stop at {moment}")
            if demand == "lead":
                two.add(wait=False)
            since = time.monotonic()
            unheard = ask_unheard(stopped.port)
            took = two.take_over(since)
            drover.wait_state(drover.submit(shell("true", name="meanwhile"))["id"], "succeeded")
            new_epoch = epoch(drover)
            stopped.go_on()
            answer = unheard.recv(100)
            assert answer.startswith(b"HTTP/1.1 503 "), answer
            wait_for(stopped.stands_by, "the one that was stopped to stand by")
            check()
            assert epoch(drover) == new_epoch, "it came back as a leader"
            assert stopped.end() == 0
            print(f"{moment}: {took:.1f} s to the takeover, {time.monotonic() - began:.1f} s in all")
        assert drover.postgres.sql("SELECT count(*) FROM jobs WHERE name = 'unheard'") == "0"
        assert drover.postgres.sql("SELECT count(*) FROM attempt WHERE outcome <> 'succeeded'") == "0"
        release()
        check_busy()
        common_end(drover)


def migrate(drover, failpoint=None):
    environment = {**os.environ, "DROVER_FAILPOINT": failpoint} if failpoint else None
    return subprocess.Popen([BINARY, "migrate", "--config", f"{drover.base}/drover.toml"], env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_a_migration_stopped_in_the_middle_is_waited_for_and_completed_after_its_death():
    with stack() as drover:
        drover.daemon.send_signal(signal.SIGTERM)
        assert drover.daemon.wait(timeout=PATIENCE) == 0
        drover.postgres.sql("DROP DATABASE drover", database="postgres")
        drover.postgres.sql("CREATE DATABASE drover", database="postgres")
        first = migrate(drover, "stop@migrate.written:1")
        try:
            held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            wait_for(lambda: drover.postgres.sql(held) == "1", "the first to hold the lock")
            os.system(f"rm -rf '{drover.base}/artifacts'/* '{drover.base}/artifacts'/.[!.]*")
            drover.start_daemon(wait=False)
            wait_for(lambda: "another daemon migrates the database" in drover.daemon_log(), "the daemon to wait for it")
            drover.daemon.send_signal(signal.SIGTERM)
            assert drover.daemon.wait(timeout=PATIENCE) == 0, "told to stop, it waits no longer"
            drover.start_daemon(wait=False)
        finally:
            first.kill()
            first.wait()
        drover.wait_ready()
        common_end(drover)


def test_a_database_of_another_version_is_refused_with_the_remedy():
    with stack() as drover:
        drover.daemon.send_signal(signal.SIGTERM)
        assert drover.daemon.wait(timeout=PATIENCE) == 0
        later = "INSERT INTO schema_migrations(version, name, sha256, applied_at) VALUES (9999, 'later', repeat('0', 64), now())"
        edited = "UPDATE schema_migrations SET sha256 = repeat('0', 64)"
        for change, said in ((later, "newer version"), (edited, "applied with another text")):
            drover.postgres.sql(change)
            before = drover.postgres.sql("SELECT * FROM schema_migrations")
            for command in ("migrate", "serve"):
                refused = subprocess.run([BINARY, command, "--config", f"{drover.base}/drover.toml"], capture_output=True,
                                         text=True, timeout=PATIENCE, check=False)
                assert refused.returncode == 1
                assert said in refused.stderr, refused.stderr
                assert "install" in refused.stderr and "restore a backup" in refused.stderr, refused.stderr
            assert drover.postgres.sql("SELECT * FROM schema_migrations") == before
        assert drover.postgres.sql("SELECT epoch FROM leader") == "1", "it led nevertheless"
