"""What must hold when the daemon or the store dies in the middle of work."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from harness import BINARY, PATIENCE, free_port, shell, stack, try_call, wait_for  # noqa: E402

FAST = {"heartbeat_interval_s": 1, "notice_poll_s": 2, "reconcile_interval_s": 1}


def test_kill_9_amid_fifty_running_jobs_reruns_none_and_loses_none():
    with stack(pool={"max": 2, "slots": 25}, settings=FAST) as drover:
        marks = f"{drover.base}/marks"
        os.mkdir(marks)
        # Each job waits for the test's word, so that all fifty run when the daemon dies.
        text = f'echo run >> "{marks}/$DROVER_JOB_NUMBER"; while [ ! -e "{marks}/go" ]; do sleep 0.2; done; echo end'
        jobs = drover.submit([shell(text, name=f"job-{i}") for i in range(50)])
        wait_for(lambda: len(os.listdir(marks)) == 50, "all fifty jobs to run")
        drover.kill_daemon()
        with open(f"{marks}/go", "w", encoding="utf-8"):
            pass
        drover.start_daemon()
        for job in jobs:
            done = drover.wait_state(job["id"], "succeeded", "failed")
            assert done["state"] == "succeeded" and done["attempts"] == 1, done
        for job in jobs:
            with open(f"{marks}/{job['number']}", encoding="utf-8") as mark:
                assert mark.read() == "run\n", "a job ran twice"
            assert len(drover.attempts(job["id"])) == 1
        assert len(drover.cloud.instances("running", "pending")) <= 2, "a restart must launch nothing anew"


def test_acknowledged_jobs_survive_kill_9_of_the_daemon_and_of_postgresql():
    with stack(settings=FAST) as drover:
        drover.call("PATCH", "/scheduler", {"is_paused": True})
        acknowledged = [drover.submit(shell("true", name=f"kept-{i}"))["id"] for i in range(20)]
        drover.kill_daemon()
        drover.postgres.stop(signal.SIGQUIT)  # immediate: as a crash
        drover.start_daemon(wait=False)
        wait_for(lambda: try_call(drover.port, "GET", "/healthz"), "the daemon to answer without its store")
        not_ready = drover.call("GET", "/readyz")
        assert not_ready.status == 503
        refused = drover.call("POST", "/jobs", shell("true"))
        assert refused.status == 503 and "retry-after" in refused.headers
        drover.postgres.start()
        drover.wait_ready()
        assert drover.call("GET", "/scheduler").json == {"is_paused": True}
        drover.call("PATCH", "/scheduler", {"is_paused": False})
        for job in acknowledged:
            drover.wait_state(job, "succeeded")


def test_the_store_away_answers_503_and_comes_back_by_itself():
    with stack(settings=FAST) as drover:
        job = drover.submit(shell("sleep 2; echo fine"))
        drover.wait_state(job["id"], "running")
        drover.postgres.stop(signal.SIGQUIT)
        wait_for(lambda: drover.call("GET", "/readyz").status == 503, "/readyz to tell")
        refused = drover.call("POST", "/jobs", shell("true"))
        assert refused.status == 503 and int(refused.headers["retry-after"]) >= 1
        drover.postgres.start()
        drover.wait_ready()
        done = drover.wait_state(job["id"], "succeeded", "failed")
        assert done["attempts"] == 1, "an outage of the store must not rerun a healthy job"
        drover.wait_state(drover.submit(shell("true"))["id"], "succeeded")


def test_a_second_daemon_waits_and_answers_503():
    with stack(settings=FAST) as drover:
        port = free_port()
        second = drover.spawn(port)
        try:
            wait_for(lambda: try_call(port, "GET", "/healthz"), "the second daemon to answer")
            wait_for(lambda: try_call(port, "GET", "/readyz").status == 503, "/readyz of the second to refuse")
            refused = try_call(port, "POST", "/jobs", shell("true"))
            assert refused.status == 503 and "retry-after" in refused.headers
            assert drover.call("GET", "/readyz").status == 200
        finally:
            second.send_signal(signal.SIGTERM)
            second.wait(timeout=PATIENCE)


def test_two_daemons_start_at_once_on_an_empty_database():
    with stack(settings=FAST) as drover:
        drover.daemon.send_signal(signal.SIGTERM)
        assert drover.daemon.wait(timeout=PATIENCE) == 0
        drover.postgres.sql("DROP DATABASE drover", database="postgres")
        drover.postgres.sql("CREATE DATABASE drover", database="postgres")
        os.system(f"rm -rf '{drover.base}/artifacts' && mkdir '{drover.base}/artifacts'")
        port = free_port()
        drover.start_daemon(wait=False)
        second = drover.spawn(port)
        try:
            def states():
                answers = [try_call(drover.port, "GET", "/readyz"), try_call(port, "GET", "/readyz")]
                return sorted(one.status for one in answers if one) == [200, 503]
            wait_for(states, "one of the two to lead and the other to wait")
            assert drover.daemon.poll() is None and second.poll() is None
        finally:
            second.send_signal(signal.SIGTERM)
            second.wait(timeout=PATIENCE)


def test_a_database_newer_than_the_binary_is_refused_clearly():
    with stack() as drover:
        drover.daemon.send_signal(signal.SIGTERM)
        drover.daemon.wait(timeout=PATIENCE)
        drover.postgres.sql("INSERT INTO schema_migrations(version, name, sha256, applied_at) "
                            "VALUES (9999, 'from_the_future', repeat('0', 64), now())")
        refused = subprocess.run([BINARY, "serve", "--config", f"{drover.base}/drover.toml"], capture_output=True,
                                 text=True, timeout=PATIENCE, check=False)
        assert refused.returncode == 1
        assert "newer" in refused.stderr and "9999" in refused.stderr, refused.stderr
