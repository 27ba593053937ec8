"""drover-worker, the real script, against a daemon and a metadata service made for the purpose."""

import io
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tarfile
import time

import pytest

from fake_daemon import BOOTSTRAP_TOKEN, PATIENCE, SOURCE, WORKER_TOKEN, problem, worker_program
from machine import environment, wait_for

BOOTSTRAP = SOURCE / "src/worker/bootstrap.sh"
BUSY = 503, "application/problem+json", "{}", {"Retry-After": "1"}


def test_shellcheck_finds_nothing():
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    for text in (worker_program(), BOOTSTRAP.read_text()):
        done = subprocess.run(["shellcheck", "-x", "-"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_job_from_claim_to_finish(daemon, machine):
    daemon.submit(17, command="""
        echo "out $A $DROVER_JOB_ID $DROVER_JOB_NUMBER $DROVER_ATTEMPT $DROVER_QUEUE $DROVER_RESUME"
        echo err >&2
        echo result >"$DROVER_ARTIFACT_DIR/re sult%ü.txt"
        : >"$DROVER_ARTIFACT_DIR/.empty"
        mkdir "$DROVER_ARTIFACT_DIR/folder"
        [ -d "$DROVER_CHECKPOINT_DIR" ] && [ ! -e "$DROVER_DEADLINE_FILE" ] && [ -z "$(ls -A .)" ] && umask
    """, env=["A=1"], queue="qu'eue")
    worker = machine.start()
    assert daemon.wait_end(17) == {"call": "finish", "outcome": "succeeded", "exit_code": 0}
    assert daemon.log(17) == b"out 1 id-17 17 1 qu'eue 0\n" + f"{os.umask(0o22):04o}\n".encode()
    assert daemon.log(17, "stderr") == b"err\n"
    assert daemon.artifacts == {(17, 1, "re sult%ü.txt"): b"result\n", (17, 1, ".empty"): b""}
    registered = daemon.registrations[0]
    assert registered["instance_id"] == "i-00000000000000001" and registered["slots"] == 1
    assert registered["cpus"] >= 1 and registered["mem_mib"] > 0 and registered["disk_mib"] > 0
    assert daemon.claims[0]["slots"] == 1 and daemon.claims[0]["wait_s"] <= 20
    wait_for(lambda: not list(worker.work.glob("drover-worker.*/17-1")), what="the attempt's files to be removed")


@pytest.mark.parametrize("job, end", [
    ({"command": "exit 3"}, {"outcome": "failure", "exit_code": 3}),
    ({"command": "kill -9 $$"}, {"outcome": "failure", "signal": 9}),
    ({"command": "exit 255"}, {"outcome": "failure", "exit_code": 255}),
    ({"args": ["/no/such/program"]}, {"outcome": "failure", "exit_code": 127}),
    # A code is a code, and only a death of the job's own process is one by a signal.
    ({"command": "exit 129"}, {"outcome": "failure", "exit_code": 129}),
    ({"command": "exit 143"}, {"outcome": "failure", "exit_code": 143}),
    ({"command": "exit 150"}, {"outcome": "failure", "exit_code": 150}),
    ({"command": "exit 192"}, {"outcome": "failure", "exit_code": 192}),
    ({"command": "sh -c 'kill -9 $$'; exit $?"}, {"outcome": "failure", "exit_code": 137}),
    ({"command": "kill -TERM $$"}, {"outcome": "failure", "signal": 15}),
    ({"command": "ulimit -c 0; kill -SEGV $$"}, {"outcome": "failure", "signal": 11}),
    ({"command": "kill -34 $$"}, {"outcome": "failure", "signal": 34}),
    ({"command": "kill -64 $$"}, {"outcome": "failure", "signal": 64}),
    ({"command": "(until grep -q '^State:.T' /proc/$$/status; do sleep 0.1; done; kill -CONT $$) &"
                 "kill -STOP $$; exit 147"}, {"outcome": "failure", "exit_code": 147}),
], ids=["exit", "signal", "255", "missing", "129", "143", "150", "192", "of-a-child", "term", "segv", "rt", "last-rt", "stopped"])
def test_how_a_job_failed(daemon, machine, job, end):
    daemon.submit(1, **job)
    machine.start()
    assert daemon.wait_end(1) == {"call": "finish", **end}


def test_many_deaths_at_once_and_a_little_later_keep_their_kind(daemon, machine):
    """A signal and the code that a shell makes of it are told apart however soon the job ends."""
    ends = [("kill -9 $$", {"signal": 9}), ("exit 137", {"exit_code": 137}),
            ("sleep 0.1; kill -TERM $$", {"signal": 15}), ("sleep 0.05; exit 143", {"exit_code": 143}),
            ("(sleep 0.02; kill -9 $$) & sleep 9", {"signal": 9})]
    for number in range(100):
        daemon.submit(number + 1, command=ends[number % len(ends)][0])
    machine.start(slots=4)
    odd = [(number, end) for number in range(1, 101)
           if (end := daemon.wait_end(number)) != {"call": "finish", "outcome": "failure", **ends[(number - 1) % len(ends)][1]}]
    assert not odd


def test_a_suspended_job_costs_no_time(daemon, machine, tmp_path):
    daemon.submit(1, command=f"touch {tmp_path}/ready; kill -STOP $$; exit 5")
    worker = machine.start()
    wait_for(lambda: (tmp_path / "ready").exists() and any(state(pid) == "T" for pid in machine.job(1)), what="a stopped job")
    before = cpu_seconds(worker.pid)
    beats = len(daemon.heartbeats)
    daemon.wait(lambda: len(daemon.heartbeats) >= beats + 3, what="heartbeats")
    assert cpu_seconds(worker.pid) < before + 0.5, "it does not ask again and again"
    for pid in machine.job(1):
        os.kill(pid, signal.SIGCONT)
    assert daemon.wait_end(1) == {"call": "finish", "outcome": "failure", "exit_code": 5}


def state(pid):
    return stat(pid)[0]


def stat(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ["X"]


def cpu_seconds(group):
    """What the processes of that group have used that live now."""
    all_of_it = [stat(p.name) for p in pathlib.Path("/proc").glob("[0-9]*")]
    return sum(int(s[11]) + int(s[12]) for s in all_of_it if len(s) > 12 and s[2] == str(group)) / os.sysconf("SC_CLK_TCK")


def test_text_reaches_the_job_unchanged(daemon, machine, tmp_path):
    nasty = [f"'; touch {tmp_path}/pwned; '", f"$(touch {tmp_path}/pwned)", f"`touch {tmp_path}/pwned`", "two\nlines",
             '"', "\\", " spaces  ", "*", "ü\u2028", "", "-n", "a=b", "\x01", "&", "!", "${HOME}"]
    env = [f"V{i}={text}" for i, text in enumerate(nasty)] + ["with.dot=1", "BASH_ENV=/no", "IFS=x", "UID=9", "-x=2"]
    report = "import os,sys; sys.stdout.write(repr((sys.argv[1:], {k: v for k, v in os.environ.items()})))"
    daemon.submit(1, args=["/usr/bin/python3", "-c", report, *nasty], env=env, name=nasty[0], queue=nasty[1])
    daemon.submit(2, args=["a=b"], env=["PATH=" + str(tmp_path)], name=nasty[3])
    program = tmp_path / "a=b"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded", daemon.log(1, "stderr")
    args, seen = eval(daemon.log(1).decode())  # what the job above printed
    assert args == nasty
    for entry in env:
        name, _, value = entry.partition("=")
        assert seen[name] == value
    assert seen["DROVER_QUEUE"] == nasty[1]
    assert daemon.wait_end(2)["outcome"] == "succeeded", daemon.log(2, "stderr")
    assert daemon.log(2) == b"ran\n"
    assert not (tmp_path / "pwned").exists()


def test_a_job_sees_neither_tokens_nor_ignored_signals(daemon, machine):
    daemon.submit(1, command="env; grep SigIgn /proc/self/status; ls /proc/self/fd | wc -l; ps x -o args 2>/dev/null")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    text = daemon.log(1).decode()
    assert BOOTSTRAP_TOKEN not in text and WORKER_TOKEN not in text and daemon.attempts[1, 1]["token"] not in text
    assert "SigIgn:\t0000000000000000" in text
    assert "\n4\n" in text, "only the three standard files are open, and ls's own directory"


def test_large_binary_logs_arrive_whole_in_chunks(daemon, machine, tmp_path):
    data = random.Random(1).randbytes(3 * 1024 * 1024 + 17)
    (tmp_path / "data").write_bytes(data)
    daemon.submit(1, command=f"cat {tmp_path}/data; head -c 1048577 {tmp_path}/data >&2; printf 'a\\0b' >&2")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.log(1) == data
    assert daemon.log(1, "stderr") == data[:1048577] + b"a\0b"
    assert max(chunk[3] for chunk in daemon.chunks) <= 1024 * 1024


def test_a_log_is_shipped_while_the_job_runs_and_goes_on_where_the_daemon_says(daemon, machine, tmp_path):
    daemon.submit(1, command=f"echo first; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo second")
    machine.start()
    daemon.wait(lambda: daemon.log(1) == b"first\n", what="the log of a running job")
    daemon.logs[1, 1, "stdout"][:] = b"fir"  # as if the daemon had lost the end of it
    (tmp_path / "go").touch()
    daemon.wait_end(1)
    assert daemon.log(1) == b"first\nsecond\n"


def test_a_lost_claim_reply_is_asked_for_again_with_the_same_nonce(daemon, machine, tmp_path):
    daemon.submit(1, command=f"echo x >>{tmp_path}/ran")
    daemon.submit(2, command="true")
    daemon.fault("/claim$", "lose")
    machine.start()
    daemon.wait_end(2)
    assert [c["nonce"] for c in daemon.claims[:2]] == [daemon.claims[0]["nonce"]] * 2
    assert daemon.claims[2]["nonce"] != daemon.claims[0]["nonce"]
    assert (tmp_path / "ran").read_text() == "x\n"


def test_only_an_answer_of_the_right_type_is_believed(daemon, machine, tmp_path):
    page = 200, "text/html", f"touch {tmp_path}/pwned\n", {}
    daemon.fault("/register$", page)
    daemon.fault("/claim$", page)
    daemon.submit(1, command="true")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert not (tmp_path / "pwned").exists()


def test_a_finish_gets_through_refusals_and_a_lost_reply(daemon, machine):
    daemon.submit(1, command="echo hello")
    daemon.fault("/finish$", BUSY, BUSY, "lose")
    daemon.fault("/logs/stdout", "lose")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    daemon.submit(2, command="true")
    daemon.wait_end(2)
    assert daemon.log(1) == b"hello\n"
    assert sum("/jobs/1/attempts/1/finish" in r for r in daemon.requests) >= 3


def test_a_job_survives_the_daemons_absence(daemon, machine, tmp_path):
    daemon.submit(1, command=f"echo before; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo after")
    daemon.submit(2, command=f"touch {tmp_path}/running; until [ -e {tmp_path}/go2 ]; do sleep 0.05; done")
    machine.start(slots=2)
    daemon.wait(lambda: daemon.log(1) == b"before\n" and (tmp_path / "running").exists(), what="two running jobs")
    daemon.stop()
    (tmp_path / "go").touch()  # ends while nobody listens; the other goes on
    job = machine.job(2)
    wait_for(lambda: not machine.job(1), what="job 1 to end")
    beats = len(daemon.heartbeats)
    daemon.start()
    assert daemon.wait_end(1) == {"call": "finish", "outcome": "succeeded", "exit_code": 0}
    assert daemon.log(1) == b"before\nafter\n"
    assert job and set(job) & set(machine.job(2))
    daemon.wait(lambda: len(daemon.heartbeats) > beats, what="a heartbeat")
    (tmp_path / "go2").touch()
    assert daemon.wait_end(2)["outcome"] == "succeeded"


def test_heartbeats_list_the_open_attempts(daemon, machine, tmp_path):
    daemon.submit(1, command=f"until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    machine.start()
    daemon.wait(lambda: daemon.heartbeats and daemon.heartbeats[-1]["attempts"], what="a heartbeat with an attempt")
    assert daemon.heartbeats[-1]["attempts"] == [{"job": 1, "attempt": 1, "token": daemon.attempts[1, 1]["token"]}]
    (tmp_path / "go").touch()
    daemon.wait_end(1)
    daemon.wait(lambda: not daemon.heartbeats[-1]["attempts"], what="a heartbeat without attempts")


def test_a_stop_ends_the_whole_job(daemon, machine):
    daemon.submit(1, command="""
        trap '' TERM
        setsid sh -c 'trap "" TERM; sleep 600' &
        sh -c 'kill -STOP $$' &
        echo ready; while :; do sleep 600; done""")
    machine.start()
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    daemon.stops = ["99/1", "1/1"]
    end = daemon.wait_end(1)
    assert (end["call"], end["outcome"], end["signal"]) == ("finish", "stopped", 9)
    wait_for(lambda: not machine.job(1), what="no process of the job to be left")
    daemon.stops = []
    daemon.submit(2, command="true")
    assert daemon.wait_end(2)["outcome"] == "succeeded"


def test_a_suspended_job_is_woken_to_see_that_it_is_stopped(daemon, machine):
    daemon.submit(1, command="echo ready; kill -STOP $$; sleep 600")
    machine.start(DROVER_STOP_GRACE_S="60")
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    daemon.stops = ["1/1"]
    assert daemon.wait_end(1) == {"call": "finish", "outcome": "stopped", "signal": 15}


def test_what_a_job_leaves_running_ends_with_it(daemon, machine):
    daemon.submit(1, command="sleep 600 & setsid sleep 600 & echo done")
    machine.start()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.log(1) == b"done\n"
    wait_for(lambda: not machine.job(1), what="no process of the job to be left")


def test_an_attempt_that_is_anothers_is_stopped_and_dropped(daemon, machine):
    daemon.submit(1, command="echo a; sleep 600")
    machine.start()
    daemon.fault("/logs/stdout", problem(409))
    wait_for(lambda: machine.job(1), what="the job to start")
    wait_for(lambda: not machine.job(1), what="the job to be stopped")
    daemon.submit(2, command="true")
    daemon.wait_end(2)
    assert (1, 1) not in daemon.ends, "nothing is reported for it"


def test_a_refused_finish_frees_the_slot(daemon, machine):
    daemon.submit(1, command="true")
    daemon.submit(2, command="true")
    daemon.fault("/jobs/1/attempts/1/finish", problem(409), problem(409))
    machine.start()
    assert daemon.wait_end(2)["outcome"] == "succeeded"
    assert (1, 1) not in daemon.ends


def test_an_unknown_worker_drops_its_jobs_and_registers_again(daemon, machine):
    daemon.submit(1, command="sleep 600")
    machine.start()
    wait_for(lambda: machine.job(1), what="the job to start")
    with daemon.changed:
        daemon.known = False
        daemon.changed.notify_all()
    daemon.wait(lambda: len(daemon.registrations) == 2, what="the second registration")
    assert not machine.job(1)
    assert daemon.registrations[0]["nonce"] == daemon.registrations[1]["nonce"]
    daemon.submit(2, command="true")
    daemon.wait_end(2)
    assert (1, 1) not in daemon.ends


def test_a_timeout_is_a_failure_that_says_so(daemon, machine):
    daemon.submit(1, command="trap '' TERM; echo started; while :; do sleep 600; done", timeout_s=1)
    machine.start()
    assert daemon.wait_end(1) == {"call": "finish", "outcome": "failure", "signal": 9,
                                  "reason": "timed out after 1 s"}
    assert daemon.log(1) == b"started\n"


def test_an_artifact_that_is_refused_makes_no_success(daemon, machine):
    daemon.refused_artifacts = {"big"}
    daemon.submit(1, command='echo 1 >"$DROVER_ARTIFACT_DIR/big"; echo 2 >"$DROVER_ARTIFACT_DIR/other"')
    machine.start()
    end = daemon.wait_end(1)
    assert end["outcome"] == "failure" and end["reason"] == "artifact big was refused (status 413)"
    assert daemon.artifacts == {(1, 1, "other"): b"2\n"}


def unpack(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {m.name.removeprefix("./"): archive.extractfile(m).read() for m in archive if m.isfile()}


def test_a_notice_keeps_the_checkpoint_and_gives_the_job_back(daemon, imds, machine):
    daemon.submit(1, command="""
        trap 'cat "$DROVER_DEADLINE_FILE"; mkdir -p "$DROVER_CHECKPOINT_DIR/a b"
              echo 42 >"$DROVER_CHECKPOINT_DIR/a b/step"; exit 9' TERM
        echo ready; while :; do sleep 0.1; done""")
    worker = machine.start(imds=imds)
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    assert daemon.registrations[0]["instance_id"] == imds.instance_id
    imds.interrupt(60)
    assert daemon.wait_end(1) == {"call": "release", "reason": "interruption notice", "notice": imds.action}
    kept = daemon.checkpoints[1]
    assert unpack(kept) == {"a b/step": b"42\n"}
    deadline = daemon.log(1).decode().split("\n")[1]
    assert time.strptime(deadline, "%Y-%m-%dT%H:%M:%SZ")
    told = next(b for b in daemon.heartbeats if "notice" in b)
    assert told["notice"] == imds.action
    wait_for(lambda: not list(worker.work.glob("drover-worker.*")), what="the worker to have nothing left to do")

    # The next attempt, elsewhere, finds it again.
    imds.action = None
    daemon.fault("/jobs/1/checkpoint", BUSY)
    daemon.submit(1, attempt=2, resume=True, checkpoint="/jobs/1/checkpoint",
                  command='echo "$DROVER_RESUME"; cat "$DROVER_CHECKPOINT_DIR/a b/step"')
    machine.start(imds=imds)
    daemon.wait(lambda: (1, 2) in daemon.ends, what="the second attempt")
    assert daemon.ends[1, 2]["outcome"] == "succeeded"
    assert daemon.log(1, attempt=2) == b"1\n42\n"


def test_during_a_notice_zero_is_success_unless_the_job_just_wrote_a_checkpoint(daemon, imds, machine):
    daemon.submit(1, command="trap 'echo finished; exit 0' TERM; echo ready; while :; do sleep 0.1; done")
    daemon.submit(2, command="""trap 'echo 1 >"$DROVER_CHECKPOINT_DIR/step"; exit 0' TERM
                                echo ready; while :; do sleep 0.1; done""")
    daemon.submit(3, command="echo ready; sleep 600")
    machine.start(slots=3, imds=imds)
    daemon.wait(lambda: all(daemon.log(n) == b"ready\n" for n in (1, 2, 3)), what="three running jobs")
    imds.interrupt(60)
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.wait_end(2)["call"] == "release"
    assert daemon.wait_end(3)["call"] == "release"
    assert list(daemon.checkpoints) == [2], "an empty checkpoint directory is not kept"


def test_a_short_notice_kills_in_time_and_releases(daemon, imds, machine):
    daemon.submit(1, command="trap '' TERM; echo ready; while :; do sleep 600; done")
    machine.start(imds=imds)
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    imds.interrupt(6)
    assert daemon.wait_end(1)["call"] == "release"


def fake_shutdown(directory):
    """A directory whose `shutdown` only leaves a mark."""
    path = directory / "sbin"
    path.mkdir()
    (path / "shutdown").write_text(f"#!/bin/sh\ntouch {directory}/shut-down\n")
    (path / "shutdown").chmod(0o755)
    return {"PATH": f"{path}:{os.environ['PATH']}", "DROVER_SHUTDOWN": "1"}


def test_after_a_notice_the_machine_is_left_to_its_end(daemon, imds, machine, tmp_path):
    daemon.submit(1, command="echo ready; sleep 600")
    worker = machine.start(imds=imds, **fake_shutdown(tmp_path))
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    imds.interrupt(8)
    assert daemon.wait_end(1)["call"] == "release"
    wait_for(lambda: not list(worker.work.glob("drover-worker.*")), what="the worker to have nothing left to do")
    assert any("notice" in beat for beat in daemon.heartbeats)
    asked = len(daemon.requests)
    with pytest.raises(subprocess.TimeoutExpired):  # well beyond its heartbeats' interval, and the notice's instant
        worker.wait(10)
    assert len(daemon.requests) == asked
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    assert not (tmp_path / "shut-down").exists()


def test_a_machine_without_a_notice_is_shut_down_at_the_end(daemon, imds, machine, tmp_path):
    worker = machine.start(imds=imds, **fake_shutdown(tmp_path))
    daemon.wait(lambda: daemon.claims, what="a claim")
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    assert (tmp_path / "shut-down").exists()


def test_told_to_end_the_worker_looks_once_more_for_a_notice(daemon, imds, machine):
    daemon.notice_poll_s = 600
    daemon.submit(1, command="echo ready; sleep 600")
    worker = machine.start(imds=imds)
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    imds.interrupt(60)
    job = machine.job(1)
    os.killpg(worker.pid, signal.SIGTERM)  # as a shutdown does, the job's own process too, which may be gone before the answer
    for pid in job:
        os.kill(pid, signal.SIGTERM)
    assert daemon.wait_end(1) == {"call": "release", "reason": "interruption notice", "notice": imds.action}
    assert worker.wait(PATIENCE) == 0


def test_sigterm_gives_the_jobs_back(daemon, machine):
    daemon.submit(1, command="echo ready; sleep 600")
    worker = machine.start()
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    os.killpg(worker.pid, signal.SIGTERM)  # as a service manager does, its helpers too
    assert daemon.wait_end(1) == {"call": "release", "reason": "the worker was told to end"}
    assert worker.wait(PATIENCE) == 0
    assert not machine.job(1)
    assert not any("notice" in beat for beat in daemon.heartbeats)


def test_slots_run_side_by_side(daemon, machine, tmp_path):
    for number, other in ((1, 2), (2, 1)):
        daemon.submit(number, command=f"touch {tmp_path}/{number}; until [ -e {tmp_path}/{other} ]; do sleep 0.05; done")
    machine.start(slots=2)
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.wait_end(2)["outcome"] == "succeeded"
    assert daemon.claims[0]["slots"] == 2


def test_a_drained_worker_ends_when_its_job_has(daemon, machine, tmp_path):
    daemon.submit(1, command=f"echo ready; until [ -e {tmp_path}/go ]; do sleep 0.05; done")
    worker = machine.start(DROVER_ON_EXIT=f"touch {tmp_path}/left")
    daemon.wait(lambda: daemon.log(1) == b"ready\n", what="the job to start")
    claims = len(daemon.claims)
    daemon.drain = True
    beats = len(daemon.heartbeats)
    daemon.wait(lambda: len(daemon.heartbeats) >= beats + 2, what="heartbeats")
    assert worker.poll() is None
    (tmp_path / "go").touch()
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert worker.wait(PATIENCE) == 0
    assert len(daemon.claims) == claims
    assert (tmp_path / "left").exists()


def test_an_idle_worker_is_drained_in_the_middle_of_a_poll(daemon, machine):
    worker = machine.start()
    daemon.wait(lambda: daemon.claims, what="a claim")
    daemon.drain = True
    assert worker.wait(PATIENCE) == 0


def test_registration_waits_for_the_daemon_and_gives_up_when_it_is_refused(daemon, machine):
    daemon.fault("/register$", BUSY)
    daemon.submit(1, command="true")
    machine.start()
    daemon.wait_end(1)
    refused = machine.start(token="wrong", PATH=f"{fast_sleep(machine.directory)}:{os.environ['PATH']}")
    assert refused.wait(PATIENCE) == 1


def fast_sleep(directory):
    """A directory whose `sleep` does not sleep long, for a test of what comes after ten of them."""
    path = directory / "bin"
    path.mkdir()
    (path / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.1\n")
    (path / "sleep").chmod(0o755)
    return path


def test_user_data_fetches_the_program_and_becomes_it(daemon, machine, tmp_path):
    daemon.program = worker_program().encode()
    daemon.fault("/worker/bootstrap", BUSY)
    text = BOOTSTRAP.read_text()
    for name, value in (("URL", f"'{daemon.url}'"), ("BOOTSTRAP_TOKEN", BOOTSTRAP_TOKEN), ("SLOTS", "3")):
        assert f"@DROVER_{name}@" in text
        text = text.replace(f"@DROVER_{name}@", value)
    user_data = tmp_path / "user-data"
    user_data.write_text(text)
    daemon.submit(1, command="echo hello")
    worker = machine.start(program=user_data)
    assert daemon.wait_end(1)["outcome"] == "succeeded"
    assert daemon.registrations[0]["slots"] == 3
    assert b"drover-worker." in pathlib.Path(f"/proc/{worker.pid}/cmdline").read_bytes(), "the same process"
    assert b"DROVER_SHUTDOWN=1" not in environment(worker.pid)
