"""No client takes the API, or the daemon's memory, from the others: large lists, large bodies, many queue names."""
import concurrent.futures
import contextlib
import re
import socket
import subprocess

import pytest

from harness import PG_BIN, shell, stack, wait_for

MIB = 1024 * 1024
LARGE = 250_000  # bytes of one job's task
NOWHERE = "nobody-serves-this"


@pytest.fixture(scope="module")
def drover():
    # A leader that stands still on a busy machine is not to be taken for dead.
    with stack(pool={"max": 0}, config={"store": {"takeover_s": 120}}) as running:
        yield running


def memory(drover, field):
    with open(f"/proc/{drover.daemon.pid}/status", encoding="utf-8") as status:
        return int(re.search(rf"{field}:\s+(\d+) kB", status.read()).group(1)) * 1024


def forget_peak(drover):
    with open(f"/proc/{drover.daemon.pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


def submit(drover, jobs):
    answer = drover.call("POST", "/jobs", jobs)
    assert answer.status == 201, answer
    return answer.json


def ask(drover, path):
    answer = drover.call("GET", path)
    assert answer.status == 200, answer
    return answer


def large_jobs(count):
    return [{"task": {"args": ["true", "#" * (LARGE // 2), "#" * (LARGE // 2)]}, "queue": NOWHERE} for _ in range(count)]


def together(count, work):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def follow(drover, path):
    """All pages behind `path`, each as its list."""
    while path:
        answer = ask(drover, path)
        yield answer.json
        link = re.match(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        path = link and link.group(1)


def test_memory_after_large_submissions_is_given_back(drover):
    submit(drover, large_jobs(30))
    wait_for(lambda: memory(drover, "VmRSS") < 150 * MIB, "a daemon at rest")
    before = memory(drover, "VmRSS")
    for _ in range(3):
        assert [len(made) for made in together(6, lambda _: submit(drover, large_jobs(30)))] == [30] * 6
    wait_for(lambda: memory(drover, "VmRSS") < before + 50 * MIB, "the memory of the submissions to be given back")


def test_a_list_of_large_jobs_is_bounded_where_it_is_read(drover):
    made = {job["number"] for _ in range(5) for job in submit(drover, large_jobs(30))}
    before = memory(drover, "VmRSS")
    forget_peak(drover)
    lists = together(4, lambda _: ask(drover, f"/jobs?queue={NOWHERE}&limit=1000").json)
    assert all(1 < len(one) < 60 for one in lists), "a page ends after 8 MiB of tasks"
    assert memory(drover, "VmHWM") - before < 250 * MIB
    for path in ("/jobs?limit=1000", f"/jobs?queue={NOWHERE}&limit=500", "/jobs?state=queued&limit=1000"):
        numbers = [job["number"] for page in follow(drover, path) for job in page]
        assert made <= set(numbers) and numbers == sorted(set(numbers), reverse=True), path


def test_a_hundred_thousand_queue_names_hold_up_nobody(drover):
    names = 102_000
    for start in range(0, names, 1000):
        submit(drover, [shell("true", queue=f"q{i:06}") for i in range(start, start + 1000)])
    for _ in range(8):  # clients that ask and do not wait
        with socket.create_connection(("127.0.0.1", drover.port)) as given_up:
            given_up.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert submit(drover, shell("true", queue="q000001"))["state"] == "queued"
    # The figures of queues may be a tenth of a second old.
    wait_for(lambda: ask(drover, "/status").json["queues"].get("q000001") == {"ready": 2, "running": 0},
             "the longer queue to be named")
    status = ask(drover, "/status").json
    assert len(status["queues"]) == 100
    assert status["other_queues"]["count"] + 100 >= names
    listed = [queue["name"] for page in follow(drover, "/queues?limit=1000") for queue in page]
    assert listed == sorted(listed) and {f"q{i:06}" for i in range(names)} <= set(listed)
    ask(drover, "/metrics")


# Reads of artifacts wait for a lock that nothing else asks for. (One on the table itself would also stop each connection
# that is opened meanwhile, when its statements are prepared.)
SLOW_ARTIFACTS = """
    ALTER TABLE artifact RENAME TO kept_artifact;
    CREATE FUNCTION slow_artifacts() RETURNS SETOF kept_artifact LANGUAGE plpgsql AS
      $$BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN QUERY SELECT * FROM kept_artifact; END$$;
    CREATE VIEW artifact AS SELECT * FROM slow_artifacts();"""


@contextlib.contextmanager
def no_artifacts_read(drover):
    with subprocess.Popen([f"{PG_BIN}/psql", "-X", "-q", "-A", "-t", "-h", drover.postgres.directory, "-U", "drover"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        session.stdin.write("SELECT pg_advisory_lock(7), 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "|locked\n"
        yield
        session.stdin.close()  # which ends the session, and the lock with it


def test_a_command_finds_a_connection_while_reads_hold_theirs(drover):
    job = submit(drover, shell("true", queue=NOWHERE))["number"]
    drover.postgres.sql(SLOW_ARTIFACTS)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drover read' AND wait_event = 'advisory'"

    def answered_meanwhile():
        with concurrent.futures.ThreadPoolExecutor(20) as pool, no_artifacts_read(drover):
            reads = [pool.submit(drover.call, "GET", f"/jobs/{job}/artifacts") for _ in range(20)]
            wait_for(lambda: int(drover.postgres.sql(waiting)) == 4, "as many reads as there may be at once")
            command = drover.call("PATCH", "/pools/default", {"max": 0})
            assert command.status == 200, command
            return not any(read.done() for read in reads)

    # Reads end by a deadline of their own: on a slow machine perhaps before the command, and then it is tried again.
    assert any(answered_meanwhile() for _ in range(4))
