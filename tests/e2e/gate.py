"""A gate: a TCP relay that a test puts between two of the real parts, to stop, delay, cut or drip what passes.

It listens on loopback and relays to a TCP address or a Unix socket. All of its knobs may be turned while connections
are open; each holds for the connections there are and for those to come, until heal().
"""
import os
import re
import socket
import threading
import time

UP, DOWN = "up", "down"  # from the client to the server, and back
CHUNK = 64 * 1024
REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/1\.1\r\n")


class Gate:
    """`target` is (host, port) or the path of a Unix socket; `port` is where it listens."""

    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.links = set()
        self.accepted = 0  # connections so far
        self.passed = {UP: 0, DOWN: 0}  # bytes so far
        self.answers = []  # of HTTP whose heads come in one piece: (target, status) of each so far
        self.closed = False
        self._reset()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _reset(self):
        self.refusing = False
        self.held = set()
        self.pause = 0.0
        self.rate = None
        self.limits = {}
        self.trigger = None

    # ---- the knobs

    def refuse(self):
        """Cuts every connection, and each new one as soon as it is made: the other side is down."""
        with self.lock:
            self.refusing = True
        self.cut()

    def hold(self, *directions):
        """Nothing passes, nobody is told: the other side hangs. By default both ways."""
        with self.lock:
            self.held = set(directions or (UP, DOWN))

    def delay(self, seconds):
        """Every piece waits so long before it passes."""
        with self.lock:
            self.pause = seconds

    def drip(self, bytes_per_second):
        """What passes, passes this slowly."""
        with self.lock:
            self.rate = bytes_per_second

    def cut_after(self, count, direction=DOWN, times=None):
        """Each connection is cut once so many bytes passed that way from now on; `times` connections at most."""
        with self.lock:
            self.limits[direction] = [count, times]
            for link in self.links:
                link.counted[direction] = 0

    def cut_when(self, pattern, direction=UP, answered=False, arrives=True, skip=0, times=1):
        """Cuts a connection when these bytes pass: they still arrive, what comes back does not. With `answered` it waits
        until the other side has begun to answer, so that the request is known to have been carried out; without `arrives`
        the piece that holds (the end of) them is lost with the connection. The first `skip` times they just pass."""
        with self.lock:
            self.trigger = [pattern, direction, answered, times, arrives, skip]

    def cut(self):
        """Cuts the connections there are, once."""
        for link in list(self.links):
            link.close()

    def heal(self):
        with self.lock:
            self._reset()
            self.changed.notify_all()

    def close(self):
        self.closed = True
        self.listener.close()
        with self.lock:
            self.changed.notify_all()
        self.cut()

    # ---- the relay

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refusing:
                _close(client)
                continue
            threading.Thread(target=self._open, args=(client,), daemon=True).start()

    def _open(self, client):
        try:
            if isinstance(self.target, str):
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.target)
            else:
                server = socket.create_connection(self.target, timeout=10)
                server.settimeout(None)
        except OSError:
            _close(client)
            return
        link = _Link(self, client, server)
        with self.lock:
            self.links.add(link)
        if self.closed or self.refusing:
            link.close()
        link.run()


class _Link:
    """One connection through the gate."""

    def __init__(self, gate, client, server):
        self.gate = gate
        self.ends = {UP: (client, server), DOWN: (server, client)}
        self.counted = {UP: 0, DOWN: 0}
        self.tail = {UP: b"", DOWN: b""}
        self.doomed = None  # the direction whose next bytes are dropped and end the connection
        self.asked = None  # the target of the request that is not answered yet
        self.alive = 2

    def run(self):
        for direction in (UP, DOWN):
            threading.Thread(target=self._relay, args=(direction,), daemon=True).start()

    def _relay(self, direction):
        source, sink = self.ends[direction]
        try:
            while True:
                data = source.recv(CHUNK)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    break
                if not self._pass(direction, data, sink):
                    self.close(politely=True)
                    break
        except OSError:
            self.close()
        with self.gate.lock:
            self.alive -= 1
            over = self.alive == 0
        if over:
            self.close()

    def _pass(self, direction, data, sink):
        """False: the connection is to be cut."""
        gate = self.gate
        with gate.lock:
            while direction in gate.held and not gate.closed:
                gate.changed.wait()
            pause, rate = gate.pause, gate.rate
        if pause:
            time.sleep(pause)
        if self.doomed == direction:
            return False
        keep, cut = self._limit(direction, data)
        if self._seen(direction, data):
            cut = cut or self.doomed is None
            keep = keep if gate.trigger is None or gate.trigger[4] else b""
        if rate:
            step = max(1, rate // 20)
            for start in range(0, len(keep), step):
                sink.sendall(keep[start:start + step])
                time.sleep(step / rate)
        else:
            sink.sendall(keep)
        gate.passed[direction] += len(keep)
        self._note(direction, keep)
        return not cut

    def _note(self, direction, data):
        if direction == UP and (request := REQUEST.match(data)):
            self.asked = request[1].decode()
        elif direction == DOWN and self.asked and data.startswith(b"HTTP/1.1 ") and data[9:12] != b"100":
            self.gate.answers.append((self.asked, int(data[9:12])))
            self.asked = None

    def _limit(self, direction, data):
        with self.gate.lock:
            limit = self.gate.limits.get(direction)
            if limit is None or limit[1] == 0:
                return data, False
            room = limit[0] - self.counted[direction]
            self.counted[direction] += len(data)
            if len(data) < room:
                return data, False
            if limit[1] is not None:
                limit[1] -= 1
            return data[:max(room, 0)], True

    def _seen(self, direction, data):
        with self.gate.lock:
            trigger = self.gate.trigger
            if trigger is None or trigger[1] != direction or trigger[3] == 0:
                return False
            pattern, answered = trigger[0], trigger[2]
            text = self.tail[direction] + data
            self.tail[direction] = text[-(len(pattern) - 1):] if len(pattern) > 1 else b""
            if pattern not in text:
                return False
            trigger[5] -= text.count(pattern)
            if trigger[5] >= 0:
                return False
            trigger[3] -= 1
            if answered:
                self.doomed = DOWN if direction == UP else UP
            return True

    def close(self, politely=False):
        """`politely`: what passed before still arrives, then the end of the stream; otherwise a reset."""
        with self.gate.lock:
            self.gate.links.discard(self)
        for end in self.ends[UP]:
            _close(end, reset=not politely)


def _close(end, reset=True):
    """Ends a connection at once, also under a thread that reads from it."""
    try:
        if reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()


def unix_socket_of(postgres):
    """Where a harness.Postgres listens."""
    return os.path.join(postgres.directory, ".s.PGSQL.5432")
