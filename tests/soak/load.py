# SPDX-License-Identifier: Apache-2.0
"""One process of constant load: calls verbs without a pause, and writes down how many there were and which failed.

load.py ENDPOINT FOLDER NAME THREADS: until FOLDER/stop is there.
"""

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
# Mostly one verb alone; every eighth call goes through all three modules.
VERBS = ["front.leaf"] * 4 + ["middle.leaf"] * 3 + ["front.through"]


def run(target, name, number, stop, result):
    channel = grpc.insecure_channel(target, SETTINGS)
    verbs = ftl_grpc.VerbServiceStub(channel)
    chance = random.Random(f"{name}.{number}")
    while not stop.exists():
        for _ in range(50):
            result["calls"] += 1
            module, verb = chance.choice(VERBS).split(".")
            body = json.dumps({"id": f"{name}.{number}.{result['calls']}"}).encode()
            request = ftl.CallRequest(verb=schema.VerbRef(module=module, name=verb), body=body)
            begin = time.time()
            try:
                answer = verbs.Call(request, timeout=DEADLINE, wait_for_ready=True)
                if answer.body == body:
                    continue
                error = {"code": "ANSWER", "text": str(answer)}
            except grpc.RpcError as failure:
                error = {"code": failure.code().name, "text": failure.details()}
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
    for worker in workers:
        worker.join()
    total = {"calls": sum(one["calls"] for one in results), "failed": [f for one in results for f in one["failed"]]}
    (Path(folder) / f"{name}.json").write_text(json.dumps(total))


main()
