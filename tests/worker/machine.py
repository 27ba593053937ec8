"""Workers of one test, the real program, on this machine."""

import os
import pathlib
import signal
import subprocess
import time
import uuid

from fake_daemon import BOOTSTRAP_TOKEN, PATIENCE, worker_program

SHELL = os.environ.get("DROVER_TEST_BASH", "/bin/bash")  # the oldest that is promised is 4.2


def environment(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def processes_with(*variables):
    wanted = {variable.encode() for variable in variables}
    return [int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*") if wanted <= set(environment(p.name))]


class Machine:
    """Workers of one test, and whatever they start."""

    def __init__(self, daemon, directory):
        self.daemon = daemon
        self.directory = directory
        self.mark = f"DROVERTEST_MARK={uuid.uuid4()}"
        self.log = open(directory / "worker.log", "ab")
        self.workers = []
        self.program = directory / "drover-worker"
        self.program.write_text(worker_program())

    def start(self, slots=1, imds=None, program=None, under=(), token=BOOTSTRAP_TOKEN, **more):
        work = self.directory / f"work{len(self.workers)}"
        work.mkdir()
        token_file = self.directory / "token"
        token_file.write_text(token + "\n")
        token_file.chmod(0o600)
        name, value = self.mark.split("=")
        env = {"PATH": os.environ["PATH"], "HOME": str(self.directory), name: value, "DROVER_URL": self.daemon.url,
               "DROVER_BOOTSTRAP_TOKEN_FILE": str(token_file), "DROVER_SLOTS": str(slots), "DROVER_WORKER_DIR": str(work),
               "TMPDIR": str(work), "DROVER_STOP_GRACE_S": "1", **more}
        if imds:
            env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
        else:  # nobody listens on port 9
            env.update(AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:9", DROVER_INSTANCE_ID="i-00000000000000001")
        worker = subprocess.Popen([*under, SHELL, str(program or self.program)], env=env, cwd=work, stdin=subprocess.DEVNULL,
                                  stdout=self.log, stderr=self.log, start_new_session=True)
        worker.work = work
        self.workers.append(worker)
        return worker

    def job(self, number):
        """The processes of that job, on this machine."""
        return processes_with(self.mark, f"DROVER_JOB_NUMBER={number}")

    def close(self):
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        while left := processes_with(self.mark):
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.log.close()
        print((self.directory / "worker.log").read_text())  # shown when the test fails


def wait_for(condition, what="the condition"):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE} s in vain for {what}"
        time.sleep(0.02)
