# SPDX-License-Identifier: Apache-2.0
"""One process of constant load: calls verbs without a pause, and records the number of calls and each failure.

load.py ENDPOINT FOLDER NAME THREADS: runs until FOLDER/stop exists. Every fourth thread speaks HTTP/1.1, the others
gRPC.
"""

import base64
import http.client
import json
import random
import sys
import threading
import time
from pathlib import Path

import grpc
from fake_backplane import ftl, ftl_grpc, schema

DEADLINE = 30
SETTINGS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]
# Most calls go to one module; every eighth call passes through all three.
VERBS = ["front.leaf"] * 4 + ["middle.leaf"] * 3 + ["front.through"]


class Grpc:
    def __init__(self, target):
        self.verbs = ftl_grpc.VerbServiceStub(grpc.insecure_channel(target, SETTINGS))

    def call(self, module, verb, body):
        """Returns what is wrong with the answer, or None."""
        request = ftl.CallRequest(verb=schema.VerbRef(module=module, name=verb), body=body)
        try:
            answer = self.verbs.Call(request, timeout=DEADLINE, wait_for_ready=True)
            return None if answer.body == body else {"code": "ANSWER", "text": str(answer)}
        except grpc.RpcError as failure:
            return {"code": failure.code().name, "text": failure.details()}


class Http1:
    """Connect's protocol over http.client, which never sends a request twice."""

    HEADERS = {"content-type": "application/json", "connect-protocol-version": "1"}

    def __init__(self, target):
        self.connection = http.client.HTTPConnection(target, timeout=DEADLINE)

    def connect(self):
        end = time.monotonic() + DEADLINE
        while self.connection.sock is None:
            try:
                self.connection.connect()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def call(self, module, verb, body):
        text = base64.b64encode(body).decode()
        request = json.dumps({"verb": {"module": module, "name": verb}, "body": text})
        try:
            self.connect()
            self.connection.request("POST", "/xyz.block.ftl.v1.VerbService/Call", request, self.HEADERS)
            response = self.connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException) as failure:
            self.connection.close()
            return {"code": "HTTP", "text": f"connection lost: {failure!r}"}
        if response.status == 200 and answer.get("body") == text:
            return None
        return {"code": f"HTTP {response.status}", "text": str(answer.get("message", answer))}


def run(target, name, number, stop, result):
    client = (Http1 if number % 4 == 3 else Grpc)(target)
    chance = random.Random(f"{name}.{number}")
    while not stop.exists():
        for _ in range(50):
            result["calls"] += 1
            module, verb = chance.choice(VERBS).split(".")
            body = json.dumps({"id": f"{name}.{number}.{result['calls']}"}).encode()
            begin = time.time()
            error = client.call(module, verb, body)
            if error is not None:
                result["failed"].append({**error, "begin": begin, "end": time.time(), "verb": f"{module}.{verb}"})


def main():
    endpoint, folder, name, threads = sys.argv[1:]
    stop = Path(folder) / "stop"
    results = [{"calls": 0, "failed": []} for _ in range(int(threads))]
    workers = [
        threading.Thread(target=run, args=[endpoint.removeprefix("http://"), name, number, stop, result])
        for number, result in enumerate(results)
    ]
    for worker in workers:
        worker.start()
    while not stop.exists():
        (Path(folder) / f"{name}.calls").write_text(str(sum(one["calls"] for one in results)))
        time.sleep(1)
    for worker in workers:
        worker.join()
    total = {"calls": sum(one["calls"] for one in results), "failed": [f for one in results for f in one["failed"]]}
    (Path(folder) / f"{name}.json").write_text(json.dumps(total))


main()
