"""The gate itself: what it stops, cuts and drips, really is stopped, cut and dripped."""
import os
import socket
import socketserver
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from gate import DOWN, Gate  # noqa: E402
from harness import PATIENCE  # noqa: E402


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                self.server.got.append(data)
                self.request.sendall(data)
        except OSError:
            pass


@pytest.fixture(name="relay")
def make_relay():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        server.got = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gate = Gate(server.server_address)
        gate.server = server
        yield gate
        gate.close()
        server.shutdown()


def connect(gate):
    return socket.create_connection(("127.0.0.1", gate.port), timeout=PATIENCE)


def echoed(client, text):
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        data = client.recv(65536)
        if not data:
            break
        got += data
    return got


def ended(client):
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_it_relays_both_ways(relay):
    with connect(relay) as client:
        assert echoed(client, b"x" * 100_000) == b"x" * 100_000


def test_refuse_cuts_what_is_open_and_what_comes_and_heal_lets_in_again(relay):
    with connect(relay) as before:
        assert echoed(before, b"a") == b"a"
        relay.refuse()
        assert ended(before)
    try:
        with connect(relay) as refused:
            assert ended(refused)
    except (BrokenPipeError, ConnectionResetError):
        pass  # cut off before connect() had returned
    relay.heal()
    with connect(relay) as after:
        assert echoed(after, b"b") == b"b"


def test_hold_passes_nothing_until_healed(relay):
    with connect(relay) as client:
        assert echoed(client, b"a") == b"a"
        relay.hold(DOWN)
        client.sendall(b"held")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(10)
        relay.heal()
        client.settimeout(PATIENCE)
        assert client.recv(10) == b"held"


def test_cut_after_lets_exactly_so_many_bytes_through(relay):
    with connect(relay) as client:
        relay.cut_after(10, DOWN, times=1)
        client.sendall(b"0123456789abcdef")
        got = b""
        while data := client.recv(100):
            got += data
        assert got == b"0123456789"
    with connect(relay) as after:
        assert echoed(after, b"0123456789abcdef") == b"0123456789abcdef"


def test_cut_when_delivers_the_words_and_drops_the_answer(relay):
    with connect(relay) as client:
        relay.cut_when(b"COMMIT", answered=True)
        client.sendall(b"COM")
        assert client.recv(10) == b"COM"
        client.sendall(b"MIT")
        assert ended(client)
        assert b"".join(relay.server.got) == b"COMMIT"


def test_cut_when_can_lose_the_words_themselves(relay):
    with connect(relay) as client:
        relay.cut_when(b"COMMIT", arrives=False)
        assert echoed(client, b"BEGIN") == b"BEGIN"
        client.sendall(b"COMMIT")
        assert ended(client)
        assert b"".join(relay.server.got) == b"BEGIN"


def test_drip_takes_its_time(relay):
    with connect(relay) as client:
        relay.drip(1000)
        start = time.monotonic()
        assert echoed(client, b"x" * 300) == b"x" * 300
        assert time.monotonic() - start > 0.25
