#!/usr/bin/env python3
"""A stand-in for the pessoa command, for the tests of scripts/demo: records are lines in a file of the data directory.

STUB_PESSOA_DIR holds what the pretended node shares with the pretended client. STUB_PESSOA_FAULT names one mistake:
no-ready, odd-ready, drops-carriage-returns, loses-last-line, forgets-on-restart, ends-with-3, refuses-produce.
"""
import os
import signal
import sys

shared = os.environ["STUB_PESSOA_DIR"]
fault = os.environ.get("STUB_PESSOA_FAULT", "")
records = os.path.join(shared, "records")


def option(name):
    return sys.argv[sys.argv.index(name) + 1]


def start():
    os.makedirs(option("--data"), exist_ok=True)
    if "--new" not in sys.argv and fault == "forgets-on-restart":
        open(records, "wb").close()
    if fault == "no-ready":
        print("stub: cannot bind", file=sys.stderr)
        return 1
    waited = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    print("ready kafka=off" if fault == "odd-ready" else "ready node=1 rpc=127.0.0.1:4711 peer=off kafka=off http=off", flush=True)
    signal.sigwait(waited)
    return 3 if fault == "ends-with-3" else 0


def produce():
    if fault == "refuses-produce":
        print("stub: unknown topic", file=sys.stderr)
        return 4
    with open(sys.argv[-1], "rb") as source, open(records, "ab") as log:
        lines = source.read().split(b"\n")
        for line in lines[:-1] if not lines[-1] else lines:
            log.write(line + b"\n")
    return 0


def consume():
    with open(records, "rb") as log:
        data = log.read()
    if fault == "drops-carriage-returns":
        data = data.replace(b"\r", b"")
    if fault == "loses-last-line":
        data = data[:data[:-1].rfind(b"\n") + 1]
    sys.stdout.buffer.write(data)
    return 0


assert sys.argv[1] == "start" or option("-b") == "127.0.0.1:4711"
sys.exit({"start": start, "topic": lambda: 0, "produce": produce, "consume": consume}[sys.argv[1]]())
