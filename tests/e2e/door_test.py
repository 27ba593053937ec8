"""What comes in by the door of a real process, over both transports: names that are served, what routes do not take."""
import json
import os
import socket
import subprocess
import tempfile

import pytest

from harness import BINARY, PATIENCE, Cloud, free_port, try_call, wait_for


def ask(port, head, body=b""):
    """Status, fields and body of the answer to a request as it stands here, on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"Connection: close\r\n\r\n" + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    fields, _, body = answer.partition(b"\r\n\r\n")
    return int(fields.split()[1]), fields.decode(), body.decode()


def get(port, host, path="/healthz"):
    return ask(port, f"GET {path} HTTP/1.1\nHost: {host}\n")


@pytest.fixture(scope="module", params=["beast", "cpprest"])
def port(request):
    with tempfile.TemporaryDirectory(prefix="drover-door-") as place:
        port = free_port()
        with open(f"{place}/drover.toml", "w", encoding="utf-8") as file:
            file.write(f'[server]\nlisten = "127.0.0.1:{port}"\nnames = ["drover.example.org"]\n'
                       f'[store]\nconninfo = "host={place} dbname=none"\n[worker]\nurl = "http://Head.test:{port}"\n'
                       f'[artifacts]\ndirectory = "{place}/artifacts"\n[cloud]\nprovider = "none"\n')
        daemon = subprocess.Popen([BINARY, "serve", "--config", f"{place}/drover.toml",
                                   f"--http-transport={request.param}"], stdin=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: try_call(port, "GET", "/healthz"), "a daemon that answers")
            yield port
        finally:
            daemon.kill()
            daemon.wait()


def test_names_that_are_served(port):
    for host in ("127.0.0.1", f"127.0.0.1:{port}", "[::1]:1", "localhost", "LOCALHOST.:80", "drover.example.org",
                 "Drover.Example.ORG.:443", "head.test"):
        assert get(port, host)[0] == 200, host


def test_other_names_are_told_what_to_do(port):
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", ""):
        for path in ("/healthz", "/metrics", "/jobs", "/none"):
            status, _, body = get(port, host, path)
            assert status == 421, (host, path)
            assert "server.names" in json.loads(body)["detail"] and body.endswith("\n")


def test_a_page_under_its_own_name_submits_nothing(port):
    job = b'{"task":{"command":"true"}}'
    head = f"POST /jobs HTTP/1.1\nHost: evil.example:{port}\nOrigin: http://evil.example:{port}\nContent-Length: {len(job)}\n"
    assert ask(port, head, job)[0] == 421
    head = f"POST /jobs HTTP/1.1\nHost: 127.0.0.1:{port}\nOrigin: http://evil.example\nContent-Length: {len(job)}\n"
    assert ask(port, head, job)[0] == 403


def test_http_1_0_needs_no_host(port):
    assert ask(port, "GET /healthz HTTP/1.0\n")[0] == 200
    assert ask(port, "GET /healthz HTTP/1.0\nHost: evil.example\n")[0] == 421


def test_what_a_route_does_not_take(port):
    """There is no database here: a handler that acted would answer 503."""
    host = f"Host: 127.0.0.1:{port}\n"
    status, _, body = ask(port, f"POST /jobs/1/cancel?dry_run=true HTTP/1.1\n{host}Content-Length: 0\n")
    assert status == 400 and json.loads(body)["field"] == "dry_run" and body.endswith("\n")
    for framing, sent in (("Content-Length: 16\n", b'{"dry_run":true}'),
                          ("Transfer-Encoding: chunked\n", b'10\r\n{"dry_run":true}\r\n0\r\n\r\n')):
        status, _, body = ask(port, f"POST /jobs/1/cancel HTTP/1.1\n{host}{framing}", sent)
        assert status == 400 and "takes no body" in json.loads(body)["detail"], framing
    for framing, sent in (("Content-Length: 0\n", b""), ("Content-Length: 2\n", b"{}"),
                          ("Transfer-Encoding: chunked\n", b"0\r\n\r\n")):
        assert ask(port, f"POST /jobs/1/cancel HTTP/1.1\n{host}{framing}", sent)[0] == 503, framing
    status, fields, body = ask(port, f"DELETE /jobs/1 HTTP/1.1\n{host}")
    assert status == 405 and "Allow: GET, HEAD, OPTIONS" in fields and "GET, HEAD" in json.loads(body)["detail"]


def test_the_local_clouds_control_port_serves_no_page():
    with tempfile.TemporaryDirectory(prefix="drover-door-") as place:
        os.chmod(place, 0o755)
        cloud = Cloud(place)
        try:
            control = cloud.control_port
            assert get(control, "evil.example", "/instances")[0] == 421
            assert get(control, f"localhost:{control}", "/instances")[0] == 200
            clear = f"DELETE /faults HTTP/1.1\nHost: 127.0.0.1:{control}\n"
            assert ask(control, clear + "Origin: http://evil.example\n")[0] == 403
            assert ask(control, clear)[0] == 200
        finally:
            cloud.stop()
