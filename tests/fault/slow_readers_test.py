"""Logs that are followed as they grow, by readers who read, who do not, and who go away."""
import os
import re
import socket
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import PATIENCE, shell, stack, wait_for  # noqa: E402
from protocol import ProtocolWorker, add_inert_pool  # noqa: E402

FAST = {"heartbeat_interval_s": 1, "notice_poll_s": 1, "reconcile_interval_s": 1}
SLOW = 1000  # readers who never read
BLOCK = b"".join(b"line %06d of a log that many follow\n" % i for i in range(25000))  # 900 KB


@pytest.fixture(scope="module")
def drover():
    with stack(settings=FAST, config={"server": {"write_time_s": 5}}) as running:
        yield running


@pytest.fixture(scope="module")
def worker(drover):
    (instance,) = add_inert_pool(drover, "hands", 1, slots=16)
    return ProtocolWorker(drover, instance, slots=16).register()


class Log:
    """An open attempt whose log the test writes."""

    def __init__(self, drover, worker):
        self.drover, self.worker, self.size = drover, worker, 0
        self.job = drover.submit(shell("true", queue="hands"))
        claimed = []
        wait_for(lambda: claimed.extend(worker.claim(wait_s=1)) or claimed, "the job to be claimed")
        (self.attempt,) = claimed

    def write(self, text):
        path = self.worker.path(self.attempt, f"logs/stdout?offset={self.size}")
        answer = self.drover.call("POST", path, text, self.worker.headers(self.attempt))
        assert answer.status == 200, answer
        self.size += len(text)

    def finish(self):
        assert self.worker.try_report(self.attempt).status == 200


class Reader:
    """Follows a log over a socket of its own."""

    def __init__(self, drover, number, query="follow=1", buffer=None):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", drover.port))
        self.socket.sendall(f"GET /jobs/{number}/logs/stdout?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.raw = b""

    def until(self, text):
        while text not in self.raw:
            got = self.socket.recv(65536)
            assert got, (self.raw[-200:], "it ended before", text)
            self.raw += got

    def rest(self):
        """To the end of the connection, however it ends."""
        try:
            while got := self.socket.recv(65536):
                self.raw += got
        except ConnectionResetError:
            pass

    def taken(self):
        """The head, and the body's chunks put together."""
        head, _, chunks = self.raw.partition(b"\r\n\r\n")
        body = b""
        while chunks:
            size, _, chunks = chunks.partition(b"\r\n")
            body, chunks = body + chunks[:int(size, 16)], chunks[int(size, 16) + 2:]
        return head, body


def test_a_follower_gets_each_line_as_it_is_written_and_the_end_with_the_attempt(drover, worker):
    log = Log(drover, worker)
    early = Reader(drover, log.job["number"])  # nothing is written yet
    early.until(b"\r\n\r\n")
    log.write(b"one\n")
    early.until(b"one\n")
    late = Reader(drover, log.job["number"], "follow=1&offset=2")
    late.until(b"e\n")
    log.write(b"two\n")
    for reader in (early, late):
        reader.until(b"two\n")
    log.write(BLOCK)
    log.finish()
    for reader, from_ in ((early, 0), (late, 2)):
        reader.until(b"\r\n0\r\n\r\n")
        head, body = reader.taken()
        assert b"200 OK" in head and b"transfer-encoding: chunked" in head.lower() and b"x-drover-attempt: 1" in head.lower()
        assert body == (b"one\ntwo\n" + BLOCK)[from_:]
    # The connection goes on with the next request.
    early.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    early.raw = b""
    early.until(b"ok\n")
    # What has ended is sent, and ends at once.
    again = Reader(drover, log.job["number"])
    again.until(b"\r\n0\r\n\r\n")
    assert again.taken()[1] == b"one\ntwo\n" + BLOCK


def test_an_attempt_that_ends_unheard_ends_its_followers(drover, worker):
    log = Log(drover, worker)
    log.write(b"begun\n")
    reader = Reader(drover, log.job["number"])
    reader.until(b"begun\n")
    assert drover.call("POST", f"/jobs/{log.job['number']}/cancel").status == 200
    # The worker never stops it, so only the end of the lease does: no report tells the followers.
    assert drover.call("PATCH", "/config", {"lease_s": 5}).status == 200
    try:
        def beat_without():
            worker.beat()
            return drover.attempts(log.job["id"])[0]["outcome"]
        wait_for(beat_without, "the attempt to end", every=0.5)
        reader.until(b"\r\n0\r\n\r\n")
    finally:
        drover.call("PATCH", "/config", {"lease_s": 60})


def test_what_cannot_be_followed_is_said(drover, worker):
    waiting = drover.submit(shell("true", queue="nobody"))
    assert drover.call("GET", f"/jobs/{waiting['number']}/logs/stdout?follow=1").status == 404
    log = Log(drover, worker)
    refused = drover.call("GET", f"/jobs/{log.job['number']}/logs/stdout?follow=1&attempt=all")
    assert refused.status == 400 and refused.json["field"] == "follow", refused
    assert drover.call("GET", f"/jobs/{log.job['number']}/logs/stdout?follow=maybe").status == 400
    assert drover.call("HEAD", f"/jobs/{log.job['number']}/logs/stdout?follow=1").status == 200
    log.write(b"all of it\n")
    log.finish()
    # Beyond the end there is nothing, however far beyond.
    for offset in (10, 11, 2**62, 2**63 - 1):
        beyond = drover.call("GET", f"/jobs/{log.job['number']}/logs/stdout?follow=1&offset={offset}")
        assert beyond.status == 200 and beyond.body == b"", beyond


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def open_files(drover):
    return len(os.listdir(f"/proc/{drover.daemon.pid}/fd"))


def test_a_thousand_slow_readers_cost_little_and_hold_up_nobody(drover, worker):
    log = Log(drover, worker)
    log.write(BLOCK)
    before, files = resident_kb(drover.daemon.pid), open_files(drover)
    slow = [Reader(drover, log.job["number"], buffer=4096) for _ in range(SLOW)]
    good = Reader(drover, log.job["number"])
    failures, stop = [], threading.Event()

    def others():
        while not stop.is_set():
            answer = drover.call("GET", f"/jobs/{log.job['number']}")
            if answer.status != 200:
                failures.append(answer)
            time.sleep(0.02)
    other = threading.Thread(target=others)
    other.start()
    try:
        for i in range(20):
            log.write(b"part %d\n" % i)
        log.write(BLOCK)
        log.finish()
        good.until(b"\r\n0\r\n\r\n")
        assert good.taken()[1] == BLOCK + b"".join(b"part %d\n" % i for i in range(20)) + BLOCK
        grown = resident_kb(drover.daemon.pid) - before
        # A piece of 16 KiB each and its connection; far from the 1.8 MB of the log.
        assert grown < SLOW * 128, f"{grown} KiB for {SLOW} slow readers"

        wait_for(lambda: open_files(drover) < files + SLOW / 10, "the slow readers to be cut off", every=0.5)
    finally:
        stop.set()
        other.join()
    assert not failures, failures[:3]
    for reader in slow[:50]:
        reader.rest()  # what the kernel had taken, and no end of the chunks
        assert not reader.raw.endswith(b"\r\n0\r\n\r\n") and len(reader.raw) < len(BLOCK)


def test_readers_who_go_leave_nothing_behind(drover, worker):
    log = Log(drover, worker)
    log.write(b"begun\n")
    files = open_files(drover)
    for _ in range(200):
        reader = Reader(drover, log.job["number"])
        reader.until(b"begun\n")
        reader.socket.close()
    wait_for(lambda: open_files(drover) <= files + 10, "their connections to be closed")
    log.finish()


def test_a_stop_does_not_wait_for_followers():
    with stack(settings=FAST) as drover:
        (instance,) = add_inert_pool(drover, "hands", 1)
        log = Log(drover, ProtocolWorker(drover, instance).register())
        log.write(b"begun\n")
        reader = Reader(drover, log.job["number"])
        reader.until(b"begun\n")
        drover.daemon.terminate()
        assert drover.daemon.wait(PATIENCE) == 0
        reader.rest()
        assert not reader.raw.endswith(b"\r\n0\r\n\r\n"), "its log is not whole"
        drover.start_daemon()
