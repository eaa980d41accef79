#!/usr/bin/python3
"""Stands in for decoy-worker in tests of the daemon: plays what the job's `out` asks for, a path that ends in words
such as /tmp/x/sleep=5,exit=3. Words: exit=N, kill=N (signal itself), sleep=S, progress=N (N reports, 20 a second), metrics, loss=N (N rows of a falling loss), note=T,
warn=T, say=T (to stderr), spam=N (N lines to stderr), result, deaf (ignores SIGTERM), stop75 (ends with 75 when asked), failfirst=N (fails in the
first N attempts), child (leaves a child behind that sleeps), stray (one that leaves the session too), catch (notes each SIGUSR1), stale (reports as the attempt before),
beats=N (after 1.5 s, N signs of life half a second apart, the first of rank 0 alone)."""

import json
import os
import signal
import sys
import time
import urllib.parse

import zmq

spec = json.load(open(sys.argv[2]))
words = dict((w.split("=") + [""])[:2] for w in os.path.basename(spec["fields"]["out"]).split(","))
rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", "0"))
ranks = int(os.environ.get("OMPI_COMM_WORLD_SIZE", "1"))
stopped = False


def on_term(number, frame):
    global stopped
    stopped = True


if "deaf" in words:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
elif "stop75" in words:
    signal.signal(signal.SIGTERM, on_term)

context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.linger = 1000
socket.connect(os.environ["DECOY_ENDPOINT"])


def report(verb, attempt=None, token=None, **body):
    body.update(
        job=int(os.environ["DECOY_JOB"]),
        attempt=attempt or int(os.environ["DECOY_ATTEMPT"]),
        token=token or os.environ["DECOY_TOKEN"],
        rank=rank,
    )
    socket.send_multipart([b"decoy1", verb.encode(), b"", json.dumps(body).encode()])


def nap(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopped:
        time.sleep(min(0.02, max(end - time.monotonic(), 0)))
    if stopped:
        context.destroy(linger=1000)
        sys.exit(75)


with open("ran", "a") as ran:
    ran.write("%d %d\n" % (rank, os.getpid()))
if "say" in words:
    print(words["say"], file=sys.stderr)
for i in range(int(words.get("spam", 0))):
    print("line %06d" % i, file=sys.stderr)
if "child" in words and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
if "stray" in words and os.fork() == 0:
    os.setsid()
    with open("stray", "w") as stray:
        stray.write(str(os.getpid()))
    time.sleep(60)
    os._exit(0)
if "catch" in words:
    signal.signal(signal.SIGUSR1, lambda number, frame: report("note", text="checkpoint of rank %d" % rank))
    open("catches", "w").close()
if "stale" in words:
    report("note", attempt=int(os.environ["DECOY_ATTEMPT"]) + 1, text="of another attempt")
    report("note", token="0" * 32, text="with another token")
    report("progress", token="0" * 32, done=5, total=10, unit="x")
if "note" in words:
    report("note", text=urllib.parse.unquote(words["note"]))
if "warn" in words:
    report("warning", text=urllib.parse.unquote(words["warn"]))
if "metrics" in words:
    report("metrics", row={"step": 7, "loss": 0.5})
for i in range(int(words.get("loss", 0))):
    report("metrics", row={"step": 10 * i, "loss": 1 / (1 + i)})
    nap(0.1)
for i in range(int(words.get("progress", 0))):
    report("progress", done=(i + 1) / ranks, total=int(words["progress"]), unit="bricks")
    nap(0.05)
for i in range(int(words.get("beats", 0))):
    nap(1.5 if i == 0 else 0.5)
    if rank == 0:
        report("alive", ranks=list(range(ranks)) if i > 0 else [0])
if "sleep" in words:
    nap(float(words["sleep"]))
if "result" in words:
    with open(os.path.join(os.environ["DECOY_ATTEMPT_DIR"], "result.json"), "w") as out:
        json.dump({"auc": 0.75, "cwd": os.getcwd(), "environment": sorted(os.environ)}, out)
context.destroy(linger=1000)
if int(os.environ["DECOY_ATTEMPT"]) <= int(words.get("failfirst", 0)):
    print("it fails at first", file=sys.stderr)
    sys.exit(1)
if "kill" in words:
    os.kill(os.getpid(), int(words["kill"]))
sys.exit(int(words.get("exit", 0)))
