"""A liar: an HTTP server between the daemon and the local cloud that changes, invents or withholds replies.

What it does not lie about it passes on as it came, so signatures still hold (they cover the Host header, which stays).
"""
import http.client
import http.server
import threading
import time
import urllib.parse

from harness import PATIENCE

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class Liar:
    """`say(handler, form, forward)` answers one call; forward() gives (status, headers, body) of the true cloud. None: honest."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.say = None
        self.calls = []  # (instant, action)
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                form = dict(urllib.parse.parse_qsl(body.decode()))
                liar.calls.append((time.monotonic(), form.get("Action")))
                self.close_connection = True
                try:
                    (liar.say or honest)(self, form, lambda: liar.forward(self.headers.items(), body))
                except OSError:
                    pass  # the daemon hung up, as it may

            def answer(self, status, body, headers=()):
                self.send_response(status)
                for name, value in [("Content-Type", "text/xml"), ("Content-Length", str(len(body))), *headers]:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def forward(self, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.target_port, timeout=PATIENCE)
        try:
            connection.putrequest("POST", "/", skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    def count(self, action, since=0.0):
        return sum(1 for instant, one in list(self.calls) if one == action and instant >= since)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def honest(handler, _form, forward):
    status, headers, body = forward()
    handler.answer(status, body, [(name, value) for name, value in headers if name.lower() == "date"])


def about(action, lie):
    """Lies to this action alone."""
    def say(handler, form, forward):
        (lie if form.get("Action") == action else honest)(handler, form, forward)
    return say


def listing(inside):
    """The reply to DescribeInstances with this inside."""
    return (f'<?xml version="1.0"?><DescribeInstancesResponse xmlns="{NAMESPACE}"><requestId>r</requestId>{inside}'
            "</DescribeInstancesResponse>").encode()


def nothing_runs(handler, _form, _forward):
    handler.answer(200, listing("<reservationSet/>"))


def second_page_fails(handler, form, forward):
    """The first page shows one instance and names a second page, which never comes."""
    if "NextToken" in form:
        return handler.answer(500, b"<Response><Errors><Error><Code>InternalError</Code><Message>no page"
                                   b"</Message></Error></Errors><RequestID>r</RequestID></Response>")
    status, _, body = forward()
    text = body.decode()
    first = text.find("</item></reservationSet>") if text.count("<reservationId>") < 2 else (
        text.find("<item><reservationId>", text.find("<reservationId>")))
    text = text[:first] + "</reservationSet><nextToken>two</nextToken></DescribeInstancesResponse>"
    return handler.answer(status, text.encode())


def ends_never(handler, _form, forward):
    """Whatever was terminated is shown as shutting down, for ever."""
    status, _, body = forward()
    handler.answer(status, body.replace(b"<code>48</code><name>terminated</name>", b"<code>32</code><name>shutting-down</name>"))
