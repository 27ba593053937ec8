"""The main job, end to end: what `drover dev --demo` shows, and what must hold around it."""
import hashlib
import os
import re
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from harness import attempt_headers, call, instance_processes, shell, stack, user_data_of, wait_for  # noqa: E402

LICENSES = "/usr/share/common-licenses"

CHECKPOINTED = """
state="$DROVER_CHECKPOINT_DIR/step"
from=0
if [ "$DROVER_RESUME" = 1 ]; then from=$(cat "$state"); echo "resumed at step $from"; fi
for step in $(seq $((from + 1)) 12); do
  sleep 0.5
  echo "$step" > "$state.new" && mv "$state.new" "$state"
  echo "step $step"
done
cp "$state" "$DROVER_ARTIFACT_DIR/result"
"""


@pytest.fixture(scope="module")
def drover():
    with stack(settings={"heartbeat_interval_s": 1, "notice_poll_s": 1, "reconcile_interval_s": 1}) as running:
        yield running


def test_one_job_per_file_gives_what_direct_computation_gives(drover):
    files = sorted(name for name in os.listdir(LICENSES) if os.path.isfile(f"{LICENSES}/{name}"))
    jobs = drover.submit([shell(f'sha256sum < "{LICENSES}/{name}" | cut -d" " -f1; wc -w < "{LICENSES}/{name}"', name=name)
                          for name in files])
    for name, job in zip(files, jobs):
        done = drover.wait_state(job["id"], "succeeded", "failed")
        assert done["state"] == "succeeded", done
        with open(f"{LICENSES}/{name}", "rb") as source:
            content = source.read()
        digest, words = drover.log_of(job["id"]).split()
        assert digest == hashlib.sha256(content).hexdigest()
        assert int(words) == len(content.split())


def test_a_noticed_interruption_resumes_from_the_checkpoint(drover):
    job = drover.submit(shell(CHECKPOINTED, name="checkpointed"))
    wait_for(lambda: "step 4" in drover.log_of(job["id"]), "the job to reach step 4")
    first = drover.job(job["id"])
    drover.cloud.control("POST", f"/instances/{first['worker']}/interrupt", {"notice_s": 20})
    done = drover.wait_state(job["id"], "succeeded", "failed")
    assert done["state"] == "succeeded"
    attempts = drover.attempts(job["id"])
    assert [one["outcome"] for one in attempts] == ["interruption", "succeeded"], attempts
    assert attempts[0]["worker"] != attempts[1]["worker"]
    second_log = drover.log_of(job["id"], attempt=2)
    assert "resumed at step" in second_log and "step 1\n" not in second_log
    assert drover.call("GET", f"/jobs/{job['id']}/artifacts/result").text.strip() == "12"


def test_sudden_death_runs_it_again(drover):
    job = drover.submit(shell("echo begin $DROVER_ATTEMPT; sleep 3; echo end", name="killed"))
    running = drover.wait_state(job["id"], "running")
    wait_for(lambda: "begin 1" in drover.log_of(job["id"]), "its first line")
    drover.cloud.control("POST", f"/instances/{running['worker']}/kill", {})
    done = drover.wait_state(job["id"], "succeeded", "failed")
    assert done["state"] == "succeeded"
    assert [one["outcome"] for one in drover.attempts(job["id"])] == ["interruption", "succeeded"]
    assert done["counters"] == {"failures": 0, "infra": 0, "interruptions": 1}
    assert "begin 2" in drover.log_of(job["id"])


def test_an_accepted_job_has_its_environment_and_leaves_artifacts(drover):
    script = ('env | grep ^DROVER_ | sort; echo hello > "$DROVER_ARTIFACT_DIR/greeting.txt"; '
              'printf "%s" "$ODD" > "$DROVER_ARTIFACT_DIR/odd"; echo oops >&2')
    odd = "quote ' dollar $HOME newline \n back\\slash \"double\" é"
    job = drover.submit({"task": {"command": script, "env": {"ODD": odd}}, "name": "environment"})
    drover.wait_state(job["id"], "succeeded")
    log = drover.log_of(job["id"])
    assert f"DROVER_JOB_ID={job['id']}" in log and f"DROVER_JOB_NUMBER={job['number']}" in log
    for name in ("DROVER_ATTEMPT=1", "DROVER_QUEUE=default", "DROVER_RESUME=0", "DROVER_CHECKPOINT_DIR=",
                 "DROVER_ARTIFACT_DIR=", "DROVER_DEADLINE_FILE="):
        assert name in log, log
    assert drover.log_of(job["id"], "stderr") == "oops\n"
    listed = {one["name"]: one for one in drover.call("GET", f"/jobs/{job['id']}/artifacts").json}
    assert listed["greeting.txt"]["size"] == 6
    assert listed["greeting.txt"]["sha256"] == hashlib.sha256(b"hello\n").hexdigest()
    assert drover.call("GET", f"/jobs/{job['id']}/artifacts/odd").body == odd.encode()


def test_a_failing_job_fails_after_its_attempts_and_says_why(drover):
    job = drover.submit(shell("exit 3", retry={"max_attempts": 2, "backoff_s": 1}))
    done = drover.wait_state(job["id"], "failed")
    assert done["exit_code"] == 3 and done["counters"]["failures"] == 2 and len(drover.attempts(job["id"])) == 2


def test_cancel_stops_a_running_job(drover):
    job = drover.submit(shell("trap '' HUP; sleep 600", name="long"))
    drover.wait_state(job["id"], "running")
    assert drover.call("POST", f"/jobs/{job['id']}/cancel").status == 200
    drover.wait_state(job["id"], "cancelled")
    assert drover.call("POST", f"/jobs/{job['id']}/cancel").status == 200, "asked again it is the same"
    assert drover.call("POST", f"/jobs/{job['id']}/hold").status == 409


def test_pause_claims_nothing_and_resume_goes_on(drover):
    assert drover.call("PATCH", "/scheduler/", {"is_paused": True}).status == 201
    job = drover.submit(shell("true"))
    explain = drover.call("GET", f"/jobs/{job['id']}/explain").json
    assert "pause" in explain["summary"].lower(), explain
    drover.rounds(3)  # time enough to claim it wrongly: its warm worker polls all the while
    assert drover.job(job["id"])["state"] == "queued"
    assert drover.call("PATCH", "/scheduler/", {"is_paused": False}).status == 201
    drover.wait_state(job["id"], "succeeded")


def test_a_worker_cut_off_reports_late_and_is_refused(drover):
    assert drover.call("PATCH", "/config", {"lease_s": 5}).status == 200
    try:
        job = drover.submit(shell("echo up; sleep 4; echo done by attempt $DROVER_ATTEMPT", name="cut off"))
        running = drover.wait_state(job["id"], "running")
        wait_for(lambda: "up" in drover.log_of(job["id"]), "its first line")
        pids = stop_instance(drover, running["worker"])
        headers = attempt_headers(drover, running["worker"])
        try:
            wait_for(lambda: len(drover.attempts(job["id"])) >= 2, "a second attempt")
            done = drover.wait_state(job["id"], "succeeded")
        finally:
            send(signal.SIGCONT, pids)
        attempts = drover.attempts(job["id"])
        assert attempts[0]["outcome"] == "infra" and attempts[-1]["outcome"] == "succeeded", attempts
        assert attempts[0]["worker"] != attempts[-1]["worker"]
        late = drover.call("POST", f"/jobs/{job['number']}/attempts/1/finish", {"outcome": "succeeded", "exit_code": 0},
                           headers)
        assert late.status == 409, late
        assert drover.job(job["id"])["attempts"] == done["attempts"]
    finally:
        drover.call("PATCH", "/config", {"lease_s": 60})


def test_a_bootstrap_token_is_worth_nothing_once_its_machine_has_registered(drover):
    """Every job can read it in the machine's user data."""
    drover.wait_state(drover.submit(shell("true"))["id"], "succeeded")
    instance = next(one for one in drover.cloud.instances("running")
                    if any(worker["instance_id"] == one["id"] for worker in drover.call("GET", "/workers").json))
    token = {"Authorization": "Bearer " + re.search(r"TOKEN='([0-9a-f]{64})'", user_data_of(instance)).group(1)}
    body = {"instance_id": instance["id"], "nonce": "another", "slots": 1, "cpus": 1, "mem_mib": 0, "disk_mib": 0,
            "hostname": "thief", "version": "2"}
    assert drover.call("POST", "/workers/register", body, token).status == 409
    stranger = {**body, "instance_id": "i-0123456789abcdef0"}
    assert drover.call("POST", "/workers/register", stranger, token).status in (403, 404, 409, 503)
    worker = next(one for one in drover.call("GET", "/workers").json if one["instance_id"] == instance["id"])
    for path, sent in [("claim", {"nonce": "n", "slots": 1, "wait_s": 0}), ("heartbeat", {"attempts": []})]:
        assert drover.call("POST", f"/workers/{worker['number']}/{path}", sent, token).status in (401, 403)


def send(what, pids):
    for pid in pids:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            pass  # it has ended by itself


def stop_instance(drover, instance):
    """Stops all processes of a local instance, also those that were being started meanwhile."""
    stopped = set()
    while more := set(instance_processes(drover, instance)) - stopped:
        send(signal.SIGSTOP, more)
        stopped |= more
    assert stopped
    return stopped


def test_unknown_fields_are_named_and_change_nothing(drover):
    before = drover.call("GET", "/jobs?limit=1").json
    answer = drover.call("POST", "/jobs", {"task": {"command": "true"}, "prioritty": 3})
    assert answer.status == 400 and "prioritty" in answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert drover.call("GET", "/jobs?limit=1").json == before


def test_metrics_pass_promtool(drover):
    import shutil
    import subprocess
    promtool = shutil.which("promtool")
    assert promtool, "promtool comes with the package prometheus"
    checked = subprocess.run([promtool, "check", "metrics"], input=drover.call("GET", "/metrics").body,
                             capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode() + checked.stdout.decode()


def test_methods_and_slashes(drover):
    assert drover.call("GET", "/status/").status == 200
    assert drover.call("HEAD", "/jobs").status == 200 and drover.call("HEAD", "/jobs").body == b""
    refused = drover.call("DELETE", "/jobs")
    assert refused.status == 405 and "POST" in refused.headers["allow"]
    assert call(drover.port, "GET", "/nowhere").status == 404
