"""Disks fill up, descriptors run out, clocks jump: the daemon says so, keeps what it acknowledged and goes on afterwards."""
import contextlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import PATIENCE, Stack, shell, try_call, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402

SETTINGS = {"heartbeat_interval_s": 1, "notice_poll_s": 60, "reconcile_interval_s": 1, "lease_s": 6}


@contextlib.contextmanager
def small_disk(mib):
    """A directory with a file system of its own. Skips where this user may not mount."""
    path = tempfile.mkdtemp(prefix="drover-full-")
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "tmpfs", path], check=False,
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            pytest.skip(f"NOT TESTED: full disks, since this user may not mount a tmpfs: {mounted.stderr.strip()}")
        try:
            yield path
        finally:
            subprocess.run(["umount", "-l", path], check=True)
    finally:
        os.rmdir(path)


def fill(path):
    """Leaves no byte free in the file system of `path`; returns the file that takes all."""
    ballast = f"{path}/ballast"
    with open(ballast, "ab", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    return ballast


def stack(**options):
    running = Stack(pool={"max": 1, "slots": 4}, settings=SETTINGS, **options)
    running.ledger = Ledger(running)
    return running


def waiting_job(drover, name, then="true"):
    """A job that runs until its file appears, and then does this."""
    mark = f"{drover.base}/{name}"
    job = drover.ledger.submit(shell(f'while [ ! -e "{mark}" ]; do sleep 0.2; done; {then}', name=name)).json
    drover.wait_state(job["id"], "running")
    return job, lambda: open(mark, "w", encoding="utf-8").close()


def succeeded_at_once(drover, job):
    done = drover.wait_state(job["id"], "succeeded", "failed")
    assert done["state"] == "succeeded" and done["attempts"] == 1, (done, drover.attempts(job["id"]))


def test_a_full_database_refuses_writes_serves_reads_and_recovers():
    with small_disk(96) as disk, contextlib.closing(stack()) as drover:
        job, end = waiting_job(drover, "survivor")
        postgres = drover.postgres
        # The tables on the small disk, the log of changes beside it: a server whose log is full stops altogether.
        postgres.stop()
        data = f"{postgres.directory}/data"
        shutil.move(f"{data}/pg_wal", f"{postgres.directory}/wal")
        os.symlink(f"{postgres.directory}/wal", f"{data}/pg_wal")
        subprocess.run(["cp", "-a", data, f"{disk}/data"], check=True)
        shutil.rmtree(data)
        os.symlink(f"{disk}/data", data)
        postgres.start()
        drover.wait_ready()
        # A server writes a file at its first connection to a database, and refuses connections while it cannot.
        postgres.sql("SELECT number FROM jobs LIMIT 1")
        ballast = fill(disk)
        bulk = [shell("true", name=f"bulk-{i}", hold=True) for i in range(200)]
        for one in bulk:
            one["task"]["env"] = {"PAD": os.urandom(4000).hex()}
        refused = wait_for(lambda: (answer := drover.ledger.submit(bulk)) and answer.status != 201 and answer,
                           "a write to be refused")
        assert refused.status in (503, 507), refused
        if refused.status == 503:
            assert int(refused.headers["retry-after"]) >= 1
        end()  # its worker cannot report it now, and tries on
        for _ in range(5):
            assert drover.call("GET", "/healthz").status == 200
            assert drover.call("GET", f"/jobs/{job['id']}").status == 200
            assert drover.call("GET", "/jobs?limit=5").status == 200
            drover.rounds(1)
        os.unlink(ballast)
        succeeded_at_once(drover, job)
        common_end(drover, drover.ledger)


def test_a_full_disk_for_artifacts_and_one_for_logs_refuse_uploads_lose_nothing_and_hold_up_no_other_job():
    with (small_disk(8) as disk, small_disk(1) as log_disk,
          contextlib.closing(stack(config={"artifacts": {"directory": f"{disk}/artifacts"}}, gates=("worker",))) as drover):
        drover.daemon.terminate()
        assert drover.daemon.wait(timeout=PATIENCE) == 0
        drover.log_path = f"{log_disk}/daemon.log"  # the daemon's own
        drover.start_daemon()

        def answered(job, status):
            """A call of the worker's on this job's first attempt has had this answer."""
            return any(target.startswith(f"/jobs/{job['number']}/attempts/1/") and got == status
                       for target, got in drover.gates["worker"].answers)
        talker, end_talker = waiting_job(drover, "talker", "echo the end")
        maker, end_maker = waiting_job(drover, "maker", 'head -c 3000000 /dev/zero > "$DROVER_ARTIFACT_DIR/zeros"')
        ballasts = [fill(disk), fill(log_disk)]
        end_talker()
        end_maker()
        wait_for(lambda: answered(talker, 507), "a log to be refused")
        wait_for(lambda: answered(maker, 507), "an upload to be refused")
        quiet = drover.ledger.submit(shell("true", name="quiet")).json
        succeeded_at_once(drover, quiet)
        # Who does not want to wait for room may take a job back, whatever its worker still has to send.
        unwanted = drover.ledger.submit(shell("echo nobody reads this", name="unwanted")).json
        wait_for(lambda: answered(unwanted, 507), "its log to be refused")
        assert drover.job(unwanted["id"])["state"] == "running"
        assert drover.call("POST", f"/jobs/{unwanted['id']}/cancel").status == 200
        drover.wait_state(unwanted["id"], "cancelled")
        for job in (talker, maker):  # their results stay where they are until there is room
            assert drover.job(job["id"])["state"] == "running"
        wait_for(lambda: os.listdir(f"{disk}/artifacts/spool") == [], "no part of an upload to stay")
        assert drover.daemon.poll() is None
        for ballast in ballasts:
            os.unlink(ballast)
        for job in (talker, maker):
            succeeded_at_once(drover, job)
        assert drover.log_of(talker["id"]) == "the end\n"
        kept = drover.call("GET", f"/jobs/{maker['id']}/artifacts/zeros")
        assert kept.status == 200 and kept.body == bytes(3_000_000)

        talker, end_talker = waiting_job(drover, "talker-2", "echo kept")
        maker, end_maker = waiting_job(drover, "maker-2", 'echo 1 > "$DROVER_ARTIFACT_DIR/one"')
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        try:
            end_talker()
            end_maker()
            wait_for(lambda: answered(talker, 507), "a log to be refused by the read-only disk")
            wait_for(lambda: answered(maker, 507), "an upload to be refused by the read-only disk")
            succeeded_at_once(drover, drover.ledger.submit(shell("true")).json)
        finally:
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        for job in (talker, maker):
            succeeded_at_once(drover, job)
        assert drover.log_of(talker["id"]) == "kept\n"
        common_end(drover, drover.ledger)


class Crowd:
    """Connects again and again, says nothing and lets nobody go: so many connections at once."""

    def __init__(self, port, size):
        self.port, self.size, self.made, self.over = port, size, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        crowd = []
        while not self.over:
            crowd = [one for one in crowd if self.open(one)]
            while len(crowd) < self.size and not self.over:
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", self.port))
                crowd.append(one)
                self.made += 1
                if self.made % 50 == 0:
                    time.sleep(0.01)
            time.sleep(0.05)
        for one in crowd:
            one.close()

    @staticmethod
    def open(one):
        try:
            if one.recv(4096) == b"":
                one.close()
                return False
        except BlockingIOError:
            return True
        except OSError:
            one.close()
            return False
        return True

    def close(self):
        self.over = True
        self.thread.join()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_crowd_beyond_the_descriptors_spins_nothing_and_keeps_no_worker_out():
    with contextlib.closing(stack(prefix=["prlimit", "--nofile=256"])) as drover:
        assert "limit of 256 open files" in drover.daemon_log()
        job, end = waiting_job(drover, "crowded")
        beats = 'drover_http_requests_total{method="POST",route="/workers/{worker}/heartbeat",status="200"}'
        before, used = drover.metric(beats), cpu_seconds(drover.daemon.pid)
        start = time.monotonic()
        with contextlib.closing(Crowd(drover.port, 600)) as crowd:
            wait_for(lambda: time.monotonic() > start + 1.5 * SETTINGS["lease_s"], "more than a lease", every=0.1)
            made = crowd.made
            took = time.monotonic() - start
            served = wait_for(lambda: try_call(drover.port, "GET", "/metrics", timeout=5), "an honest client to be served")
            assert served.status == 200
            end()
            succeeded_at_once(drover, job)
        share = (cpu_seconds(drover.daemon.pid) - used) / took
        assert made > 600, "the crowd was not served to its places"
        assert share < 0.3, f"{share:.2f} of a processor"
        assert drover.metric(beats) - before >= 4, "the worker could not be heard"
        assert len(os.listdir(f"/proc/{drover.daemon.pid}/fd")) < 200, "descriptors are not given back"
        common_end(drover, drover.ledger)


def test_jumps_of_the_clock_neither_expire_a_lease_nor_stop_launches():
    with tempfile.TemporaryDirectory(prefix="drover-clock-") as folder:
        clock, library = f"{folder}/clock", f"{folder}/shifted_clock.so"
        source = os.path.join(os.path.dirname(__file__), "shifted_clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)

        def jump(seconds):
            with open(clock, "r+b" if os.path.exists(clock) else "w+b", buffering=0) as file:
                file.write(struct.pack("=q", seconds))
        jump(0)
        env = {"LD_PRELOAD": library, "SHIFTED_CLOCK": clock}
        with contextlib.closing(stack(env=env)) as drover:
            job, end = waiting_job(drover, "timeless")
            for hours in (1, -1, 0):
                jump(3600 * hours)
                pool = f"at-{hours}"
                assert drover.call("POST", "/pools", {"name": pool, "max": 1, "image": "ami-local",
                                                      "instance_types": ["local.small"]}).status == 201
                new = drover.ledger.submit(shell("echo ran", queue=pool)).json  # wants a launch, signed by that clock
                succeeded_at_once(drover, new)
                assert drover.job(job["id"])["attempts"] == 1
            assert "this machine's clock differs from AWS's by" in drover.daemon_log()
            drover.cloud.control("POST", "/clock", {"offset_s": -3600})  # and the other side's
            drover.rounds(3)
            wait_for(lambda: not drover.call("GET", "/status").json["cloud_error"], "the cloud to be understood")
            end()
            succeeded_at_once(drover, job)
            common_end(drover, drover.ledger)
