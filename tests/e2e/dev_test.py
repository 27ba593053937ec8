"""`drover dev`: everything on one machine, by the binary alone."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from harness import BINARY, PATIENCE, call, free_port, wait_for

READY = "Ctrl-C stops everything"


def processes_of(directory):
    """Command lines of the processes that name the directory, or work in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
            if directory in line or os.readlink(f"/proc/{pid}/cwd").startswith(directory):
                found.append((int(pid), line))
        except OSError:
            continue
    return [entry for entry in found if entry[0] != os.getpid()]


def wait_for_nothing(directory):
    wait_for(lambda: not processes_of(directory), f"the end of every process in {directory}")


class Dev:
    def __init__(self, directory, *arguments, environment=None):
        self.directory = directory
        self.port = free_port()
        self.output = os.path.join(os.path.dirname(directory), f"output-{self.port}")
        with open(self.output, "w") as out:
            self.process = subprocess.Popen(
                [BINARY, "dev", "--data", directory, "--listen", f"127.0.0.1:{self.port}", *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})

    def text(self):
        with open(self.output) as file:
            return file.read()

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, self.text()
            return READY in self.text()
        wait_for(ready, "drover dev to be ready")
        return self

    def run(self, *arguments):
        """A client verb; its standard output."""
        done = subprocess.run([BINARY, *arguments], env={**os.environ, "DROVER_URL": f"http://127.0.0.1:{self.port}"},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state(self, number):
        return call(self.port, "GET", f"/jobs/{number}").json["state"]

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def directory():
    # Closed to everybody else, as what mktemp makes is; and longer than a socket's name may be.
    base = tempfile.mkdtemp(prefix="drover-dev-")
    yield os.path.join(base, "data-" + "x" * 100)
    for pid, _ in processes_of(base):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    shutil.rmtree(base, ignore_errors=True)


def test_jobs_outlive_a_stop_and_a_kill(directory):
    dev = Dev(directory).wait_ready()
    number = dev.run("submit", "--name", "hello", "-e", "WORD=world", "--", "sh", "-c", "echo hello $WORD").split()[0]
    wait_for(lambda: dev.state(number) == "succeeded", "the first job")
    assert dev.run("logs", number) == "hello world\n"
    long = dev.run("submit", "--shell", f"while [ ! -e {directory}/go ]; do sleep 0.1; done; echo went on").split()[0]
    wait_for(lambda: dev.state(long) == "running", "the long job to run")

    second = Dev(directory)
    assert second.process.wait(timeout=PATIENCE) == 1
    assert "another `drover dev`" in second.text()

    assert dev.end() == 0
    wait_for_nothing(directory)

    dev = Dev(directory).wait_ready()
    assert dev.state(number) == "succeeded"
    wait_for(lambda: call(dev.port, "GET", f"/jobs/{long}").json["attempts"] == 2, "the second attempt")
    first = call(dev.port, "GET", f"/jobs/{long}/attempts").json[0]
    assert first["outcome"] == "interruption", first  # a stop counts against no job

    dev.end(signal.SIGKILL)
    # At once: what the killed one has left behind is still on its way out.
    dev = Dev(directory).wait_ready()
    with open(f"{directory}/go", "w"):
        pass
    wait_for(lambda: dev.state(long) == "succeeded", "the long job to end")
    assert dev.run("logs", long).endswith("went on\n")
    with open(f"{directory}/drover.toml") as file:
        sockets = re.search(r"host='([^']*)'", file.read()).group(1)
    assert os.path.isdir(sockets)
    assert dev.end() == 0
    assert not os.path.exists(sockets), "its socket's directory, outside of the data, is left behind"
    wait_for_nothing(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_a_job_that_gave_up_root_has_its_directories_and_finds_no_token(directory):
    os.chmod(os.path.dirname(directory), 0o711)
    dev = Dev(directory).wait_ready()
    program = os.path.join(os.path.dirname(directory), "program")
    with open(program, "w") as file:
        file.write("""
            id -un
            echo work >here && echo tmp >"$TMPDIR/here" && echo result >"$DROVER_ARTIFACT_DIR/result" && echo wrote
            instance=$(pwd | sed "s,/root/.*,,")
            ls "$instance" "$instance/.." 2>/dev/null
            cat "$instance"/user-data "$instance"/*.log "$instance"/*.json 2>/dev/null
            echo looked""")
    number = dev.run("submit", "--shell", """
        chown -R nobody . "$TMPDIR" "$DROVER_ARTIFACT_DIR" "$DROVER_CHECKPOINT_DIR" &&
          exec setpriv --reuid=nobody --regid=nogroup --clear-groups -- sh """ + program).split()[0]
    wait_for(lambda: dev.state(number) in ("succeeded", "failed"), "the job to end")
    assert dev.run("logs", number) == "nobody\nwrote\nlooked\n", dev.run("logs", number, "--stream", "stderr")
    assert call(dev.port, "GET", f"/jobs/{number}/artifacts/result").text == "result\n"
    assert dev.end() == 0


@pytest.mark.parametrize("program", ["serve --config", "localcloud --data", "postgres -D"])
def test_a_program_that_dies_is_started_again(directory, program):
    dev = Dev(directory).wait_ready()

    def victim():
        if program.startswith("postgres"):
            with open(f"{directory}/postgres/postmaster.pid") as file:
                return int(file.readline())
        return next(pid for pid, line in processes_of(directory) if program in line)

    os.kill(victim(), signal.SIGKILL)
    wait_for(lambda: "starting it again" in dev.text(), f"{program} to be started again")

    def submitted():
        try:
            return call(dev.port, "POST", "/jobs", {"task": {"command": "true"}}).status == 201
        except OSError:
            return False
    wait_for(submitted, "a job to be taken")
    wait_for(lambda: call(dev.port, "GET", "/jobs?state=succeeded").json != [], "a job to succeed")
    assert dev.end() == 0
    wait_for_nothing(directory)


def test_the_demonstration_holds_what_it_says(directory):
    source = os.path.join(os.path.dirname(directory), "input")
    os.mkdir(source)
    for index in range(3):
        with open(os.path.join(source, f"file {index}'s.txt"), "wb") as file:
            file.write(b"word " * index + bytes(range(256)))
    dev = Dev(directory, "--demo", "--input", source)
    assert dev.process.wait(timeout=PATIENCE) == 0, dev.text()
    assert re.search(r"^5 jobs, \d+ instances, 2 interruptions, 0 lost$", dev.text().splitlines()[-1]), dev.text()
    assert "resumed from checkpoint at step" in dev.text()
    wait_for_nothing(directory)


def run_dev(directory, listen):
    return subprocess.run([BINARY, "dev", "--data", directory, "--listen", listen], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "localhost:8080", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", ":80",
                                    "192.0.2.1:80", "[::1", "[::]:80", ""])
def test_an_address_that_cannot_be_is_said_before_anything_is_made(directory, listen):
    done = run_dev(directory, listen)
    assert done.returncode == 2
    assert f"--listen {listen} must be a loopback address" in done.stderr
    assert done.stdout == "" and not os.path.exists(directory)


def test_a_port_that_is_taken_is_said_before_anything_is_made(directory):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = run_dev(directory, f"127.0.0.1:{holder.getsockname()[1]}")
        assert done.returncode == 1
        assert "in use" in done.stderr and "127.0.0.1:0" in done.stderr
        assert done.stdout == "" and not os.path.exists(directory)
        # Also where there is a directory of an earlier run.
        os.makedirs(directory)
        with open(f"{directory}/lock", "w"):
            pass
        assert run_dev(directory, f"127.0.0.1:{holder.getsockname()[1]}").returncode == 1
        assert not os.path.exists(f"{directory}/postgres")


def environment_of(pid):
    """Empty when the process has ended."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.partition("=")[::2] for entry in text.split("\0"))


def test_the_callers_database_cloud_and_proxy_are_not_those_of_the_parts(directory):
    base = os.path.dirname(directory)
    with open(f"{base}/services", "w") as file:
        file.write("[theirs]\nhost=127.0.0.1\ndbname=theirs\nuser=theirs\n")
    with socket.socket() as theirs:
        theirs.bind(("127.0.0.1", 0))
        theirs.listen()
        port = str(theirs.getsockname()[1])
        other = f"http://127.0.0.1:{port}"
        environment = {"PGHOSTADDR": "127.0.0.1", "PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "theirs", "PGDATABASE": "theirs",
                       "PGOPTIONS": "-c nonsense=1", "PGSERVICE": "theirs", "PGSERVICEFILE": f"{base}/services", "PGDATA": base,
                       "PGPASSFILE": f"{base}/services", "PGSSLMODE": "require", "PGREQUIREPEER": "theirs", "PGCONNECT_TIMEOUT": "x",
                       "PGAPPNAME": "theirs", "PGTZ": "Mars", "PGSYSCONFDIR": base, "PG_COLOR": "always",
                       "AWS_ENDPOINT_URL": other, "AWS_ENDPOINT_URL_EC2": other, "AWS_ACCESS_KEY_ID": "theirs",
                       "AWS_SECRET_ACCESS_KEY": "theirs", "AWS_SESSION_TOKEN": "theirs", "AWS_PROFILE": "theirs", "AWS_REGION": "mars-1",
                       "AWS_CONFIG_FILE": f"{base}/services", "AWS_EC2_METADATA_SERVICE_ENDPOINT": other,
                       "http_proxy": other, "HTTP_PROXY": other, "https_proxy": other, "HTTPS_PROXY": other, "all_proxy": other,
                       "ALL_PROXY": other, "no_proxy": "x", "NO_PROXY": "x", "NOTIFY_SOCKET": f"{base}/notify"}
        dev = Dev(directory, environment=environment).wait_ready()
        assert [pool["name"] for pool in call(dev.port, "GET", "/pools").json] == ["default"]
        number = dev.run("submit", "--shell", "env").split()[0]
        wait_for(lambda: dev.state(number) == "succeeded", "a job")
        seen = dict(line.partition("=")[::2] for line in dev.run("logs", number).splitlines())
        assert seen["DROVER_JOB_NUMBER"] == number
        parts = [environment_of(pid) for pid, _ in processes_of(directory) if pid != dev.process.pid]
        assert len(parts) > 3
        for part in [seen, *parts]:
            leaked = {name: value for name, value in part.items() if environment.get(name) == value}
            assert not leaked
        theirs.settimeout(0)
        with pytest.raises(BlockingIOError):
            theirs.accept()
        assert dev.end() == 0
