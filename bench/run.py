#!/usr/bin/env python3
"""Measures Drover beside what bounds it, in interleaved rounds on this machine; prints medians (and the range).

  python3 bench/run.py [--binary PATH] [--load PATH] [--rounds 5] [--seconds 2] [--json FILE]

Every figure is of a real daemon over real HTTP on a real PostgreSQL with fsync and synchronous_commit on. Absolute figures move with the
machine's other load; the ratios are of the same run. Everything is on loopback, bounded, and ended when done.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
import harness  # noqa: E402

WORKERS = 64


class Bench:
    def __init__(self, load, rounds, seconds):
        self.load_program, self.rounds, self.seconds = load, rounds, seconds
        self.samples = {}

    def add(self, name, value):
        self.samples.setdefault(name, []).append(value)

    def median(self, name):
        return statistics.median(self.samples[name]) if self.samples.get(name) else None

    def load(self, *arguments):
        done = subprocess.run([self.load_program, *map(str, arguments)], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def progress(self, text):
        print(f"  {text}", file=sys.stderr, flush=True)


def start_workers(drover):
    """Registers WORKERS workers by hand on instances that run nothing, so that only the daemon is measured."""
    instances = harness.wait_for(
        lambda: (lambda listed: listed if len(listed) == WORKERS else None)(drover.cloud.instances("running")),
        "the inert instances to run", timeout=60)
    lines = []
    for number, instance in enumerate(instances):
        token = re.search(r"TOKEN=['\"]?([0-9a-f]{64})", harness.user_data_of(instance)).group(1)
        body = {"instance_id": instance["id"], "nonce": f"bench-{number}", "slots": 100, "cpus": 1, "mem_mib": 0,
                "disk_mib": 0, "hostname": "bench", "version": "bench"}

        def registered():
            answer = drover.call("POST", "/workers/register", body, {"Authorization": f"Bearer {token}"})
            return answer if answer.status == 200 else None
        answer = harness.wait_for(registered, "a worker to register").json
        lines.append(f"{answer['worker_id']} {answer['token']}")
    path = f"{drover.base}/workers"
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    return path


def copy_rate(drover, rows):
    """Rows a second of one COPY into a table like the live partition of jobs, indexes included."""
    sql = drover.postgres.sql
    sql("DROP TABLE IF EXISTS bench_copy; DROP TABLE IF EXISTS bench_source")
    live = sql("SELECT tableoid::regclass FROM jobs LIMIT 1")
    sql(f"CREATE TABLE bench_copy (LIKE {live} INCLUDING ALL)")
    path = f"{drover.postgres.directory}/bench.copy"
    sql(f"COPY (SELECT * FROM {live} LIMIT {rows}) TO '{path}'")
    count = int(sql(f"SELECT least({rows}, count(*)) FROM {live}"))
    start = time.monotonic()
    sql(f"COPY bench_copy FROM '{path}'")
    return count / (time.monotonic() - start)


def lone_commit_rate(drover, seconds):
    """Transactions a second of one connection that inserts one row each: what a commit costs without company."""
    drover.postgres.sql("CREATE TABLE IF NOT EXISTS bench_lone (number bigint, task text)")
    script = f"{drover.base}/lone.sql"
    with open(script, "w", encoding="utf-8") as out:
        out.write("INSERT INTO bench_lone VALUES (1, repeat('x', 90));\n")
    done = subprocess.run([f"{harness.PG_BIN}/pgbench", "-n", "-M", "prepared", "-h", drover.postgres.directory, "-U", "drover",
                           "-f", script, "-T", str(seconds), "drover"], check=True, capture_output=True, text=True)
    return float(re.search(r"tps = ([0-9.]+)", done.stdout).group(1))


def rounds(bench, drover, null_port, workers):
    queued = 0
    for number in range(bench.rounds):
        bench.progress(f"round {number + 1} of {bench.rounds}: submit and null handler")
        for connections, batch in ((1, 1), (64, 1), (1, 100), (4, 100)):
            result = bench.load("submit", "--port", drover.port, "--connections", connections, "--batch", batch,
                                "--seconds", bench.seconds)
            queued += result["jobs"]
            key = f"submit c={connections} batch={batch}"
            bench.add(f"{key} jobs/s", result["jobs"] / result["seconds"])
            bench.add(f"{key} p50 ms", result["p50_ms"])
            bench.add(f"{key} p99 ms", result["p99_ms"])
        for connections in (1, 64):
            result = bench.load("submit", "--port", null_port, "--connections", connections, "--batch", 1,
                                "--seconds", bench.seconds)
            bench.add(f"null handler c={connections} requests/s", result["requests"] / result["seconds"])
        bench.add("COPY rows/s", copy_rate(drover, 50_000))
        bench.add("lone one-row commits/s", lone_commit_rate(drover, bench.seconds))
        bench.progress(f"round {number + 1} of {bench.rounds}: claim and finish")
        for connections, slots, share in ((1, 1, 1500), (64, 1, 12000), (1, 100, 6000), (64, 100, 20000)):
            result = bench.load("cycle", "--port", drover.port, "--workers", workers, "--connections", connections,
                                "--slots", slots, "--jobs", min(share, max(queued - 100 * WORKERS, 100)))
            queued -= result["jobs"]
            bench.add(f"claim+finish c={connections} claims of {slots} jobs/s", result["jobs"] / result["seconds"])


def latencies(bench, count):
    """On a stack of its own with real workers: warm start, and notice to requeued."""
    settings = {"heartbeat_interval_s": 1, "notice_poll_s": 1, "reconcile_interval_s": 1}
    with harness.stack(pool={"max": 4, "slots": 2, "min": 1}, settings=settings) as drover:
        drover.wait_state(drover.submit(harness.shell("true"))["id"], "succeeded")
        for _ in range(count):
            before = time.time_ns()
            job = drover.submit(harness.shell("date +%s%N"))
            drover.wait_state(job["id"], "succeeded")
            bench.add("warm start ms", (int(drover.log_of(job["id"]).strip()) - before) / 1e6)
        bench.progress("notice to requeued")
        for _ in range(bench.rounds):
            job = drover.submit(harness.shell(
                'echo up; trap "exit 9" TERM; while :; do date > "$DROVER_CHECKPOINT_DIR/at"; sleep 0.1; done'))
            harness.wait_for(lambda: "up" in drover.log_of(job["id"]), "the job to run")
            start = time.monotonic()
            drover.cloud.control("POST", f"/instances/{drover.job(job['id'])['worker']}/interrupt", {"notice_s": 30})
            harness.wait_for(lambda: drover.job(job["id"])["counters"]["interruptions"] > 0, "the job to be requeued",
                             every=0.005)
            bench.add("notice to requeued s", time.monotonic() - start)
            drover.call("POST", f"/jobs/{job['id']}/cancel")
            drover.wait_state(job["id"], "cancelled")


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(bench, one, other):
    return bench.median(one) / bench.median(other)


def show(bench):
    print(f"\n{os.cpu_count()} cores, {bench.rounds} interleaved rounds, PostgreSQL fsync=on synchronous_commit=on; median [least .. most]")
    for name, values in bench.samples.items():
        if name == "warm start ms":
            print(f"  {'submit to start, warm idle worker':48} p50 {statistics.median(values):8.1f} ms   "
                  f"p99 {quantile(values, 0.99):8.1f} ms   n={len(values)}")
        else:
            print(f"  {name:48} {statistics.median(values):12.2f}   [{min(values):.2f} .. {max(values):.2f}]")
    print("ratios of medians")
    for label, one, other in (
            ("submit in batches of 100, 4 connections / COPY", "submit c=4 batch=100 jobs/s", "COPY rows/s"),
            ("submit in batches of 100, 1 connection / COPY", "submit c=1 batch=100 jobs/s", "COPY rows/s"),
            ("submit one by one, 64 connections / null handler", "submit c=64 batch=1 jobs/s", "null handler c=64 requests/s"),
            ("submit one by one, 1 connection / lone commits", "submit c=1 batch=1 jobs/s", "lone one-row commits/s"),
            ("submit one by one, 64 connections / lone commits", "submit c=64 batch=1 jobs/s", "lone one-row commits/s"),
            ("claim+finish, 64 connections / lone commits", "claim+finish c=64 claims of 1 jobs/s", "lone one-row commits/s"),
            ("submit one by one, 1 connection / null handler", "submit c=1 batch=1 jobs/s", "null handler c=1 requests/s")):
        print(f"  {label:52} {ratio(bench, one, other):8.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    build = os.path.join(HERE, "..", "build", "release")
    parser.add_argument("--binary", default=os.path.join(build, "drover"), help="the daemon")
    parser.add_argument("--load", default=os.path.join(build, "bench", "drover_load"), help="the load generator")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each submit measurement")
    parser.add_argument("--starts", type=int, default=100, help="warm starts to time")
    parser.add_argument("--json", help="also write all samples to this file")
    arguments = parser.parse_args()
    harness.BINARY = os.path.abspath(arguments.binary)
    bench = Bench(os.path.abspath(arguments.load), arguments.rounds, int(arguments.seconds))
    null = subprocess.Popen([bench.load_program, "null", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        null_port = int(null.stdout.readline())
        pool = {"name": "bench", "queues": ["bench"], "min": WORKERS, "max": WORKERS, "max_increase": WORKERS, "slots": 100,
                "image": "ami-inert"}
        with harness.stack(pool=pool, settings={"lease_s": 3600, "max_launches_per_minute": 1000}) as drover:
            rounds(bench, drover, null_port, start_workers(drover))
    finally:
        null.kill()
        null.wait()
    latencies(bench, arguments.starts)
    show(bench)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(bench.samples, out, indent=1)


if __name__ == "__main__":
    main()
