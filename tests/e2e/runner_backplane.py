# SPDX-License-Identifier: Apache-2.0
"""A Backplane on grpcio for tests of Runners: it answers each of their requests, or fails as a test says."""

import hashlib
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from fake_backplane import ftl, ftl_grpc, schema

CHUNK = 1 << 20


class Artefact:
    """A file of a deployment. The content that is sent may differ from what is announced."""

    def __init__(self, path, content, executable=False, digest=None, pieces=None):
        self.path = path
        self.content = content
        self.digest = digest or hashlib.sha256(content).hexdigest()
        self.executable = executable
        self.pieces = pieces

    def message(self):
        return ftl.DeploymentArtefact(digest=self.digest, path=self.path, executable=self.executable)

    def chunks(self):
        if self.pieces is not None:
            yield from self.pieces
            return
        for offset in range(0, max(len(self.content), 1), CHUNK):
            yield self.content[offset : offset + CHUNK]


class Deployment:
    def __init__(self, key, module, artefacts, entry="", bind="", stream=None):
        self.key = key
        self.schema = schema.Module(
            name=module, runtime=schema.ModuleRuntime(language="test", entry=entry, bind=bind)
        )
        self.artefacts = artefacts
        self.stream = stream  # sent by GetDeploymentArtefacts in place of the artefacts

    def responses(self):
        if self.stream is not None:
            yield from self.stream
            return
        for artefact in self.artefacts:
            for chunk in artefact.chunks():
                yield ftl.GetDeploymentArtefactsResponse(artefact=artefact.message(), chunk=chunk)


class RunnersBackplane(ftl_grpc.BackplaneServiceServicer, ftl_grpc.VerbServiceServicer):
    def __init__(self, port=0):
        self.deployments = {}
        self.registrations = queue.Queue()
        self.left = queue.Queue()
        self.deployed = queue.Queue()
        self.logs = []
        self.reads_logs = threading.Event()
        self.reads_logs.set()
        self.refuse = None  # (code, text) for the next registrations
        self.ends_at_once = None  # "in order", "by an error": how the next registrations end once they are accepted
        self.pingable = True
        self.calls = []  # (metadata, request, context) of calls out
        self.answer = lambda request, context: ftl.CallResponse(body=b"{}")
        self.start(port)

    def start(self, port):
        self.stopping = threading.Event()
        options = [("grpc.so_reuseport", 0), ("grpc.http2.min_ping_interval_without_data_ms", 100), ("grpc.http2.max_ping_strikes", 0)]
        self.server = grpc.server(ThreadPoolExecutor(64), options=options)
        ftl_grpc.add_BackplaneServiceServicer_to_server(self, self.server)
        ftl_grpc.add_VerbServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.server.start()

    def stop(self):
        self.stopping.set()
        self.server.stop(0).wait()

    def add(self, deployment):
        self.deployments[deployment.key] = deployment

    # --- BackplaneService

    def RegisterRunner(self, requests, context):
        request = next(requests)
        if self.refuse:
            context.abort(*self.refuse)
        if self.pingable:
            with grpc.insecure_channel(request.endpoint.removeprefix("http://")) as channel:
                ftl_grpc.RunnerServiceStub(channel).Ping(ftl.PingRequest(), timeout=2)
        key = request.runner_key or "run-test-1"
        context.send_initial_metadata((("ftl-runner-key", key),))
        self.registrations.put(request)
        if self.ends_at_once == "in order":
            return ftl.RegisterRunnerResponse()
        if self.ends_at_once:
            context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        stopped = threading.Event()
        context.add_callback(stopped.set)

        def read():
            try:
                for _ in requests:
                    pass
                self.left.put(key)
            except grpc.RpcError:
                pass  # the connection broke
            stopped.set()

        threading.Thread(target=read, daemon=True).start()
        while not stopped.wait(0.05) and not self.stopping.is_set():
            pass
        return ftl.RegisterRunnerResponse()

    def GetDeployment(self, request, context):
        deployment = self.deployments.get(request.deployment_key)
        if deployment is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no deployment {request.deployment_key}")
        return ftl.GetDeploymentResponse(
            schema=deployment.schema, artefacts=[artefact.message() for artefact in deployment.artefacts]
        )

    def GetDeploymentArtefacts(self, request, context):
        yield from self.deployments[request.deployment_key].responses()

    def Deployed(self, request, context):
        self.deployed.put(request)
        return ftl.DeployedResponse()

    def PublishLogs(self, requests, context):
        while not self.reads_logs.wait(0.05) and context.is_active():
            pass
        for request in requests:
            self.logs.extend(request.entries)
        return ftl.PublishLogsResponse()

    # --- VerbService: calls out of modules

    def Call(self, request, context):
        self.calls.append((context.invocation_metadata(), request, context))
        return self.answer(request, context)

    # --- for tests

    def wait_for_log(self, wanted, timeout=10):
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            for entry in self.logs:
                if wanted in entry.message:
                    return entry
            time.sleep(0.01)
        raise AssertionError(f"no log line has {wanted!r}: {[entry.message for entry in self.logs]}")
