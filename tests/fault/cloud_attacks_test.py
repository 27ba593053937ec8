"""The cloud's endpoint attacks with its replies: each is an error with a name, within bounds, and nothing moves because of it."""
import os
import re
import socket
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
sys.path.insert(0, os.path.dirname(__file__))
from cloud_case import lied_to, nothing_moves, status, told  # noqa: E402
from harness import shell, wait_for  # noqa: E402
from ledger import common_end  # noqa: E402
from liar import listing  # noqa: E402

SOAK = bool(os.environ.get("DROVER_SOAK"))
MEMORY_KIB = 400 * 1024  # a reply may have 64 MiB


@pytest.fixture(scope="module")
def drover():
    with lied_to() as running:
        yield running


def raw(data, endless=b""):
    """The reply as bytes, then perhaps the same for ever."""
    def say(handler, _form, _forward):
        handler.wfile.write(data)
        while endless:
            handler.wfile.write(endless)
    return say


def ok(body, *headers):
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers))
    return raw(head.encode() + b"\r\n" + body)


BOMB = ('<!DOCTYPE b [<!ENTITY a "' + "a" * 1000 + '">' +
        "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9)).replace("&a0;", "&a;") + "]>").encode()
HOSTILE = {
    "huge": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", b" " * 1_000_000), "ReplyTooLarge"),
    "headers-without-end": (raw(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n"), "ReplyTooLarge|NoAnswer"),
    "entity-bomb": (ok(BOMB + listing("<x>&a8;</x>").split(b"?>", 1)[1]), "InvalidReply.*DOCTYPE"),
    "deep": (ok(b"<a>" * 1_000_000), "InvalidReply.*deep"),
    "crossed-tags": (ok(listing("<reservationSet><item></reservationSet></item>")), "InvalidReply"),
    "empty": (ok(b""), "InvalidReply"),
    "length-below-zero": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n<Describe"), "NoAnswer|InvalidReply"),
    "cut-xml": (ok(listing("<reservationSet/>")[:-20]), "InvalidReply"),
    "shorter-than-said": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<Describe"), "NoAnswer"),
    "html": (ok(b"<!doctype html><html><body>Please log in</body></html>", "Content-Type: text/html"), "InvalidReply"),
    "gzip-rubbish": (ok(b"\x1f\x8b\x08" + bytes(range(256)), "Content-Encoding: gzip"), "InvalidReply|NoAnswer"),
    "no-http": (raw(b"\x00\xff\x15\x03\x01 nonsense\r\n\r\n"), "NoAnswer"),
}


def memory_kib(drover):
    with open(f"/proc/{drover.daemon.pid}/status", encoding="utf-8") as text:
        return int(re.search(r"VmHWM:\s+(\d+)", text.read()).group(1))


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_reply_is_an_error_with_a_name_and_moves_nothing(drover, attack):
    reply, error = HOSTILE[attack]
    with nothing_moves(drover):
        drover.liar.say = reply
        told(drover, error)
    assert not status(drover)["cloud_error"], "an error that is over is still told"
    assert memory_kib(drover) < MEMORY_KIB


@pytest.mark.parametrize("code", [301, 302, 307, 308] if SOAK else [307])
def test_a_redirect_is_not_followed_and_nothing_is_sent_there(drover, code):
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        there = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        with nothing_moves(drover):
            drover.liar.say = lambda handler, *_: handler.answer(code, b"", [("Location", there)])
            told(drover, f"Http{code}")
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_a_reply_that_drips_for_ever_holds_up_nothing_else(drover):
    dripped = []

    def drip(handler, _form, _forward):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while drover.liar.say is drip:
            handler.wfile.write(b" ")
            dripped.append(1)
            time.sleep(0.1)
    with nothing_moves(drover):
        drover.liar.say = drip
        wait_for(lambda: len(dripped) > 20, "some bytes to have come")
        for _ in range(3):
            drover.wait_state(drover.submit(shell("echo meanwhile"))["id"], "succeeded")
        if SOAK:
            told(drover, "Timeout")


def test_all_of_it_is_well_at_the_end(drover):
    common_end(drover, drover.ledger)
