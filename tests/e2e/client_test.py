"""The client verbs as processes: where they ask, what they send, and what happens to what they print."""
import hashlib
import http.server
import json
import os
import subprocess
import threading

import pytest

from harness import BINARY, PATIENCE

LOG = bytes(range(256)) * 4096  # 1 MiB
LOG_PIECES = 80  # more than a client would want to hold


class Daemon(http.server.BaseHTTPRequestHandler):
    """Answers as a daemon would, and remembers what it was asked."""
    protocol_version = "HTTP/1.1"

    def reply(self, status, body, kind="application/json", length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("X-Drover-Attempt", "1")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.asked.append((self.command, self.path, b""))
        path = self.path.split("?")[0]
        if path.startswith("/jobs/7/logs/"):
            offset = int(self.path.partition("offset=")[2] or 0)
            # Each answer breaks off once; the client has to go on where it was.
            self.reply(200, b"", "text/plain", LOG_PIECES * len(LOG) - offset)
            end = LOG_PIECES // 2 * len(LOG) if offset == 0 else LOG_PIECES * len(LOG)
            while offset < end:
                piece = LOG[offset % len(LOG):][:end - offset]
                self.wfile.write(piece)
                offset += len(piece)
            self.close_connection = True
        elif path in ("/jobs", "/workers", "/pools") or path.endswith("/attempts"):
            self.reply(200, b"[]")
        else:
            self.reply(200, b'{"number":1,"id":"x","state":"queued"}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body))
        if self.path.startswith("/jobs/2/"):
            self.reply(409, b'{"detail":"job 2 has ended"}')
        elif self.path == "/scheduler" and self.server.standby:
            self.reply(503, b"another daemon leads\n", "text/plain")
        else:
            self.reply(200, b'{"number":1,"id":"x","state":"queued"}')

    do_PATCH = do_POST

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that went away


@pytest.fixture
def daemons():
    servers = []
    for _ in range(2):
        server = Server(("127.0.0.1", 0), Daemon)
        server.asked, server.standby = [], False
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def drover(*arguments, url=None, **options):
    environment = {name: value for name, value in os.environ.items() if name != "DROVER_URL"}
    if url is not None:
        environment["DROVER_URL"] = url
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, env=environment, timeout=PATIENCE, **options)


VERBS = [["submit", "-c", "true"], ["list"], ["show", "1"], ["logs", "1"], ["cancel", "1"], ["hold", "1"], ["release", "1"],
         ["requeue", "1"], ["pause"], ["resume"], ["status"], ["workers"], ["pools"]]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_the_option_wins_over_the_environment(daemons, verb):
    wanted, other = daemons
    for arguments in ([*verb[:1], "--url", wanted.url, *verb[1:]], [*verb[:1], *verb[1:], f"--url={wanted.url}"]):
        assert drover(*arguments, url=other.url).returncode == 0
    assert len(wanted.asked) >= 2 and other.asked == []
    assert drover(*verb, url=other.url).returncode == 0
    assert other.asked != []


def test_the_words_of_a_job_are_sent_as_they_are(daemons):
    words = ["jq", "[.a,.b]", "[x]", "[]", "", "-x", "--url", "--", "a,b", "{}", "'", "\n", "\\", "--name=", "list"]
    assert drover("submit", "--", *words, url=daemons[0].url).returncode == 0
    assert json.loads(daemons[0].asked[0][2])["task"] == {"args": words}


def run_measured(*arguments):
    """What a client wrote, as size and SHA-256, and the memory that it took, in KiB."""
    process = subprocess.Popen([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    digest, size = hashlib.sha256(), 0
    with process.stdout:
        while piece := process.stdout.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return size, digest.digest(), usage.ru_maxrss


def test_a_log_of_any_size_is_passed_on_and_a_cut_one_goes_on(daemons):
    _, _, usual = run_measured("status", "--url", daemons[0].url)
    daemons[0].asked.clear()
    size, digest, memory = run_measured("logs", "7", "--url", daemons[0].url)
    assert size == LOG_PIECES * len(LOG)
    assert digest == hashlib.sha256(LOG * LOG_PIECES).digest()
    assert len(daemons[0].asked) == 2
    assert memory < usual + 32 * 1024


@pytest.mark.parametrize("verb", [*VERBS, ["logs", "7"], ["--help"], ["submit", "--help"], ["version"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_an_error(daemons, verb):
    if verb == ["logs", "1"]:
        verb = ["logs", "7"]
    with open("/dev/full", "w") as full:
        done = drover(*verb, url=daemons[0].url, stdout=full)
    assert done.returncode == 1, verb
    assert b"No space left on device" in done.stderr


@pytest.mark.parametrize("verb", [["logs", "7"], ["list"], ["status"], ["version"]], ids=" ".join)
def test_a_reader_that_has_gone_is_an_error(daemons, verb):
    reader, writer = os.pipe()
    os.close(reader)
    done = drover(*verb, url=daemons[0].url, stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert b"Broken pipe" in done.stderr


def test_standard_output_that_is_closed_is_an_error(daemons):
    done = subprocess.run(["/bin/sh", "-c", '"$0" list --url "$1" >&-', BINARY, daemons[0].url], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1 and b"standard output" in done.stderr
    assert len(daemons[0].asked) == 1


def test_a_refusal_stops_no_list_and_its_reason_is_said(daemons):
    done = drover("cancel", "1", "2", "3", url=daemons[0].url)
    assert done.returncode == 1
    assert done.stdout == b"1 queued\n3 queued\n"
    assert done.stderr == b"drover: 2: job 2 has ended\n"


def test_a_standby_says_why_it_refuses(daemons):
    daemons[0].standby = True
    done = drover("pause", url=daemons[0].url)
    assert done.returncode == 1
    assert done.stderr.decode() == f"drover: another daemon leads ({daemons[0].url})\n"
