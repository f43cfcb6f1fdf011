# SPDX-License-Identifier: Apache-2.0
"""A Backplane on grpcio that answers as a test says, to test the command line against independent gRPC code."""

import hashlib
import importlib
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "proto"


def _load_stubs():
    output = tempfile.mkdtemp(prefix="ftl-stubs-")
    arguments = [f"-I{PROTO}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    files = ["xyz/block/ftl/v1/ftl.proto", "xyz/block/ftl/v1/schema/schema.proto"]
    command = ["protoc", *arguments, f"--python_out={output}", f"--grpc_python_out={output}", *files]
    assert protoc.main(command) == 0
    sys.path.insert(0, output)
    names = ["xyz.block.ftl.v1.ftl_pb2", "xyz.block.ftl.v1.ftl_pb2_grpc", "xyz.block.ftl.v1.schema.schema_pb2"]
    return [importlib.import_module(name) for name in names]


ftl, ftl_grpc, schema = _load_stubs()

STARTING, LIVE, DRAINING, STOPPED, FAILED = range(1, 6)


def step(state, text, last_lines=()):
    return ftl.WatchDeploymentResponse(time_ms=int(time.time() * 1000), state=state, text=text, last_lines=last_lines)


def _field(number, value):
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def _details(status, text, reason):
    """A google.rpc.Status with an ErrorInfo."""
    info = _field(1, reason.encode()) + _field(2, b"ftl.block.xyz")
    detail = _field(1, b"type.googleapis.com/google.rpc.ErrorInfo") + _field(2, info)
    return bytes([1 << 3, status.value[0]]) + _field(2, text.encode()) + _field(3, detail)


class FakeBackplane:
    """Records its requests. `fail` maps a method to the (status, text) that it fails with."""

    def __init__(self, address="127.0.0.1:0", credentials=None):
        self.requests = []  # (method, request)
        self.time_remaining = {}  # of the last request of each method
        self.pieces = []  # sizes of the messages of each upload
        self.fail = {}
        self.reasons = {}  # maps a method to the (status, text, reason) that it fails with
        self.max_artefact_bytes = 0
        self.artefacts = {}  # digest: content
        self.not_ready = ""
        self.call = lambda request: ftl.CallResponse(body=request.body)
        self.verbs = [schema.VerbRef(module="echo", name="echo"), schema.VerbRef(module="time", name="time")]
        self.existed = False
        self.key = "dpl-echo-0123456789abc"
        self.steps = lambda: iter([step(STARTING, "started a Runner"), step(LIVE, "calls reach it")])
        self.status = ftl.StatusResponse(version="0.1.0")
        self.killed = self.key
        self.modules = []
        self.logs = lambda request: iter([])
        self.stats = ftl.CallStatsResponse()
        self.events = lambda request: iter([])
        self.spoil_upload = False
        self.before_diffs = lambda: None
        self.stopping = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 80 << 20)])
        ftl_grpc.add_VerbServiceServicer_to_server(_Verbs(self), self._server)
        ftl_grpc.add_BackplaneServiceServicer_to_server(_Backplane(self), self._server)
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        scheme = "http" if credentials is None else "https"
        self.endpoint = address if address.startswith("unix:") else f"{scheme}://127.0.0.1:{port}"
        self._server.start()

    def stop(self):
        self.stopping.set()
        self._server.stop(None).wait()

    def hang(self, *_):
        """An answer that does not come before the end of the test."""
        self.stopping.wait(30)
        return ftl.CallResponse()

    def requested(self, method):
        return [request for name, request in self.requests if name == method]

    def enter(self, method, request, context):
        self.requests.append((method, request))
        self.time_remaining[method] = context.time_remaining()
        context.send_initial_metadata((("ftl-request-id", "req-1"),))
        if method in self.fail:
            context.abort(*self.fail[method])
        if method in self.reasons:
            status, text, reason = self.reasons[method]
            context.set_trailing_metadata((("grpc-status-details-bin", _details(status, text, reason)),))
            context.abort(status, text)


class _Verbs(ftl_grpc.VerbServiceServicer):
    def __init__(self, fake):
        self.fake = fake

    def Ping(self, request, context):
        return ftl.PingResponse(not_ready=self.fake.not_ready)

    def Call(self, request, context):
        self.fake.enter("Call", request, context)
        return self.fake.call(request)

    def List(self, request, context):
        return ftl.ListResponse(verbs=self.fake.verbs)


class _Backplane(ftl_grpc.BackplaneServiceServicer):
    def __init__(self, fake):
        self.fake = fake

    def StreamEvents(self, request, context):
        self.fake.enter("StreamEvents", request, context)
        return self.fake.events(request)

    def CallStats(self, request, context):
        self.fake.enter("CallStats", request, context)
        return self.fake.stats

    def Ping(self, request, context):
        self.fake.enter("Ping", request, context)
        return ftl.PingResponse(not_ready=self.fake.not_ready)

    def GetArtefactDiffs(self, request, context):
        self.fake.enter("GetArtefactDiffs", request, context)
        if request.client_digests:
            self.fake.before_diffs()
        missing = [digest for digest in request.client_digests if digest not in self.fake.artefacts]
        return ftl.GetArtefactDiffsResponse(missing_digests=missing, max_artefact_bytes=self.fake.max_artefact_bytes)

    def UploadArtefact(self, requests, context):
        self.fake.enter("UploadArtefact", None, context)
        pieces = [request.content for request in requests]
        self.fake.pieces.append([len(piece) for piece in pieces])
        content = b"".join(pieces)
        digest = hashlib.sha256(content)
        self.fake.artefacts[digest.hexdigest()] = content
        return ftl.UploadArtefactResponse(digest=b"\0" * 32 if self.fake.spoil_upload else digest.digest())

    def CreateDeployment(self, request, context):
        self.fake.enter("CreateDeployment", request, context)
        return ftl.CreateDeploymentResponse(deployment_key=self.fake.key, existed=self.fake.existed, active=self.fake.existed)

    def WatchDeployment(self, request, context):
        self.fake.enter("WatchDeployment", request, context)
        yield from self.fake.steps()

    def ScaleModule(self, request, context):
        self.fake.enter("ScaleModule", request, context)
        return ftl.ScaleModuleResponse(deployment_key=self.fake.key)

    def KillModule(self, request, context):
        self.fake.enter("KillModule", request, context)
        return ftl.KillModuleResponse(deployment_key=self.fake.killed)

    def Status(self, request, context):
        self.fake.enter("Status", request, context)
        return self.fake.status

    def GetSchema(self, request, context):
        self.fake.enter("GetSchema", request, context)
        return ftl.GetSchemaResponse(modules=self.fake.modules)

    def StreamLogs(self, request, context):
        self.fake.enter("StreamLogs", request, context)
        yield from self.fake.logs(request)
