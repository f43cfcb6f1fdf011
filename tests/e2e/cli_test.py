# SPDX-License-Identifier: Apache-2.0
"""The command line, as a user meets it: what it prints, where, and the code it exits with."""

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from fake_backplane import FAILED, LIVE, STARTING, STOPPED, FakeBackplane, ftl, schema, step
from harness import FTL, SANITIZED

BUILD = Path(os.environ.get("FTL_BUILD", Path(__file__).resolve().parents[2] / "build"))
FTL = os.environ.get("FTL", str(BUILD / "ftl"))


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def fake():
    fake = FakeBackplane()
    yield fake
    fake.stop()


@pytest.fixture
def environment(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FTL", "XDG"))}
    return {**kept, "HOME": str(tmp_path / "home")}


@pytest.fixture
def start(fake, environment, tmp_path):
    """Starts ftl against the fake Backplane."""
    started = []

    def start(*arguments, **options):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        given = {"cwd": tmp_path, "env": {**environment, "FTL_ENDPOINT": fake.endpoint}}
        started.append(subprocess.Popen([FTL, *arguments], **{**pipes, **given, **options}))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def run(start):
    def run(*arguments, stdin="", timeout=20, **options):
        process = start(*arguments, **options)
        out, err = process.communicate(stdin, timeout=timeout)
        return Result(process.returncode, out, err)

    return run


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


# --- ftl call ---------------------------------------------------------------------------------------------------


def test_call_prints_the_answer(run, fake):
    result = run("call", "echo.echo", '{"name":"Bob"}')
    assert result == Result(0, '{"name":"Bob"}\n', "")
    assert run("call", "echo.echo", '{"name":"Bob"}', "-o", "json") == result
    request = fake.requested("Call")[0]
    assert (request.verb.module, request.verb.name) == ("echo", "echo")


def test_call_sends_an_empty_object_by_default(run):
    assert run("call", "time.time").out == "{}\n"


def test_call_reads_standard_input_and_files(run, tmp_path):
    (tmp_path / "request.json").write_text("[1]")
    assert run("call", "echo.echo", "-", stdin="[2]").out == "[2]\n"
    assert run("call", "echo.echo", "@request.json").out == "[1]\n"
    missing = run("call", "echo.echo", "@missing.json")
    assert missing == Result(1, "", "error: could not open missing.json: No such file or directory\n")


def test_call_passes_large_bodies(run):
    body = json.dumps("x" * 3_000_000)
    assert run("call", "echo.echo", "-", stdin=body).out == body + "\n"


def test_call_says_where_the_json_is_wrong(run, fake):
    result = run("call", "echo.echo", '{"name":}')
    assert result.code == 2
    assert result.err.startswith('error: the request["name"]: not JSON at line 1, column 9: ')
    assert fake.requests == []


@pytest.mark.parametrize(("operand", "hint"), [
    ("Bob", "the request is JSON; for a String: ftl call hello.hello '\"Bob\"'"),
    ("it's", "the request is JSON; for a String: ftl call hello.hello '\"it'\\''s\"'"),
    ("{name:Bob}", "put the JSON between single quotes, as the shell takes double quotes away: '{\"name\":\"Bob\"}'"),
    ("[Bob]", "put the JSON between single quotes, as the shell takes double quotes away: '{\"name\":\"Bob\"}'"),
])
def test_call_says_how_to_write_a_request(run, fake, operand, hint):
    result = run("call", "hello.hello", operand)
    assert result.code == 2
    assert result.err.splitlines()[1:] == [f"hint: {hint}", "see: ftl help call"]
    assert fake.requested("Call") == []


@pytest.mark.parametrize("operand", ['{"name":}', '{"a":1,"a":2}', '[1,2', '{"name":"Bob"', '"Bob', '"Bob" x'])
def test_call_gives_no_hint_that_is_wrong(run, fake, operand):
    """Their quotes have passed the shell."""
    result = run("call", "hello.hello", operand)
    assert result.code == 2 and ("hint: " in result.err) == (operand == "[1,2")
    assert "for a String" not in result.err


def takes(fake, **request):
    verb = schema.Verb(name="hello", export=True, request_type=schema.Type(**request), response_type=schema.Type(string={}))
    name = schema.TypeAlias(name="Name", type=schema.Type(string={}))
    fake.modules = [schema.Module(name="hello", decls=[schema.Decl(verb=verb), schema.Decl(type_alias=name)])]


def test_call_says_what_the_verb_takes(run, fake):
    takes(fake, int={})
    assert "\nhint: the request is JSON of the type Int; see: ftl schema hello\n" in run("call", "hello.hello", "Bob").err
    takes(fake, array={"element": schema.Type(string={})})
    assert "\nhint: the request is JSON of the type [String]; see: ftl schema hello\n" in run("call", "hello.hello", "Bob").err
    for request in ({"string": {}}, {"any": {}}, {"optional": {"element": schema.Type(string={})}},
                    {"data_ref": schema.DataRef(module="hello", name="Name")}):
        takes(fake, **request)
        assert "\nhint: the request is JSON; for a String: ftl call hello.hello '\"Bob\"'\n" in run("call", "hello.hello", "Bob").err


@pytest.mark.parametrize(("operands", "written"), [([], '"…"'), (["5"], '"5"'), (["-5"], '"-5"'), (["{}"], '"…"'),
                                                   (['{"name":"Bob"}'], '"…"'), (["[1]"], '"…"'), (["-"], '"…"')])
def test_call_says_how_to_write_a_string(run, fake, operands, written):
    for request in ({"string": {}}, {"data_ref": schema.DataRef(module="hello", name="Name")}):
        takes(fake, **request)
        result = run("call", "hello.hello", *operands, stdin="5")
        assert result.code == 1 and fake.requested("Call") == []
        assert "expected String" in result.err
        assert f"hint: the verb takes a String: ftl call hello.hello '{written}'\n" in result.err


@pytest.mark.parametrize("number", ["-5", "-0.5", "-1e9"])
def test_call_takes_a_negative_number(run, fake, number):
    assert run("call", "m.v", number) == Result(0, f"{number}\n", "")
    assert run("call", "m.v", "-t", "5s", number, "-v").out == f"{number}\n"


def test_call_says_that_the_verb_failed(run, fake):
    fake.call = lambda request: ftl.CallResponse(error=ftl.CallResponse.Error(message="no such\x1b[31m name"))
    assert run("call", "echo.echo") == Result(1, "", "error: no such?[31m name\n")


def test_call_says_that_the_verb_could_not_be_reached(run, fake):
    fake.fail["Call"] = (grpc.StatusCode.UNAVAILABLE, "echo is starting")
    assert run("call", "echo.echo") == Result(1, "", "error: echo is starting\n")


def test_call_says_that_the_answer_is_empty(run, fake):
    fake.call = lambda request: ftl.CallResponse()
    assert run("call", "echo.echo") == Result(1, "", "error: the answer holds neither a body nor an error\n")


def test_call_offers_the_nearest_verb(run, fake):
    fake.fail["Call"] = (grpc.StatusCode.NOT_FOUND, "the module echo has no verb ecko")
    result = run("call", "echo.ecko")
    assert result == Result(1, "", 'error: the module echo has no verb ecko; did you mean "echo.echo"?\n')
    fake.fail["Call"] = (grpc.StatusCode.NOT_FOUND, "no ecko; there is echo.echo")
    assert run("call", "echo.ecko").err == "error: no ecko; there is echo.echo\n"


def test_call_gives_up_after_its_timeout(run, fake):
    fake.call = fake.hang
    late = "error: echo.echo did not answer within 0.2 s; --timeout is how long to wait\n"
    assert run("call", "echo.echo", "--timeout", "200ms") == Result(1, "", late)


def test_call_carries_its_deadline(run, fake):
    run("call", "echo.echo", "--timeout", "2s")
    assert 0 < fake.time_remaining["Call"] <= 2
    run("call", "echo.echo", "--timeout", "0")
    assert fake.time_remaining["Call"] is None or fake.time_remaining["Call"] > 1e6


def test_call_shows_headers(run):
    assert run("call", "-v", "echo.echo") == Result(0, "{}\n", "ftl-request-id: req-1\n")


def test_call_is_cancelled_by_sigint(start, fake):
    fake.call = fake.hang
    process = start("call", "echo.echo")
    wait_for(lambda: fake.requested("Call"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("name", ["echo", "echo.", ".echo", "", "a" * 200 + ".b"])
def test_call_requires_a_verb(run, name):
    result = run("call", name)
    assert result.code == 2
    assert "names no verb; write MODULE.VERB, such as echo.echo\nsee: ftl help call\n" in result.err


def test_call_reports_that_nothing_listens(run):
    result = run("call", "echo.echo", "--endpoint", "http://127.0.0.1:1")
    assert result.code == 1
    assert result.err == (
        "error: could not connect to http://127.0.0.1:1: connection refused; is \"ftl serve\" running there?\n"
    )


@pytest.mark.parametrize("closes", [True, False])
def test_call_reports_a_server_that_is_no_backplane(run, closes):
    """The server accepts only one connection: `ftl call` reports the first failure instead of trying again."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        accepted = []

        def answer():
            peer = other.accept()[0]
            peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            if closes:
                peer.close()
            accepted.append(peer)

        threading.Thread(target=answer, daemon=True).start()
        result = run("call", "echo.echo", "--endpoint", f"http://127.0.0.1:{port}")
        accepted[0].close()
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: http://127.0.0.1:{port}: ")


def test_call_says_what_an_endpoint_is(run):
    result = run("call", "echo.echo", "--endpoint", "localhost")
    assert result.code == 1
    assert 'error: "localhost" is not an endpoint:' in result.err


# --- ftl ping ---------------------------------------------------------------------------------------------------


def test_ping_is_ready(run, fake):
    result = run("ping")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{fake.endpoint} is ready (")
    answer = json.loads(run("ping", "-o", "json").out)
    assert answer["endpoint"] == fake.endpoint
    assert answer["took_ms"] > 0
    assert all(re.fullmatch(r'.*"took_ms": [0-9]+\.[0-9]{1,3}}\n', run("ping", "-o", "json").out) for _ in range(5))


def test_ping_says_why_it_is_not_ready(run, fake):
    fake.not_ready = "it reads its deployments"
    assert run("ping") == Result(1, "", f"error: {fake.endpoint} is not ready: it reads its deployments\n")


def test_ping_waits_until_it_is_ready(start, fake):
    fake.not_ready = "it starts"
    process = start("ping", "--wait", "20s")
    wait_for(lambda: len(fake.requested("Ping")) >= 2)
    fake.not_ready = ""
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert out.startswith(f"{fake.endpoint} is ready (")


def test_ping_waits_for_a_listener(start, tmp_path):
    endpoint = f"unix:{tmp_path}/late"
    process = start("ping", "--wait", "20s", "--endpoint", endpoint)
    time.sleep(0.2)
    late = FakeBackplane(endpoint)
    out, err = process.communicate(timeout=10)
    late.stop()
    assert (process.returncode, err) == (0, "")


def test_ping_gives_up(run, fake):
    fake.not_ready = "it starts"
    result = run("ping", "--wait", "1500ms")
    assert result == Result(1, "", f"error: gave up after 1500 ms: {fake.endpoint} is not ready: it starts\n")


def test_sigint_ends_a_waiting_ping(start):
    process = start("ping", "--wait", "20s", "--endpoint", "http://127.0.0.1:1")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, "", "")


# --- ftl deploy -------------------------------------------------------------------------------------------------

SCHEMA = """module echo {
  data EchoRequest {
    name String
  }

  data EchoResponse {
    message String
  }

  verb echo(echo.EchoRequest) echo.EchoResponse
}
"""


class Module:
    """The folder of a module."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = {"module": '"echo"', "language": '"c"', "deploy": '["main"]'}
        folder.mkdir()
        self.write("main", "#!/bin/sh\n")
        (folder / "main").chmod(0o755)
        self.write("echo.ftl", SCHEMA)
        self.set()

    def set(self, **settings):
        self.settings.update(settings)
        lines = [f"{key} = {value}\n" for key, value in self.settings.items() if value is not None]
        self.write("ftl.toml", "".join(lines))

    def write(self, path, content):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture
def module(tmp_path):
    return Module(tmp_path / "echo")


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_deploy_uploads_creates_and_waits(run, fake, module):
    result = run("deploy", "echo")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(r"echo: dpl-echo-0123456789abc is live \(\d+ ms\)\n", result.out)
    assert fake.artefacts == {digest(b"#!/bin/sh\n"): b"#!/bin/sh\n"}
    (created,) = fake.requested("CreateDeployment")
    runtime = created.schema.runtime
    assert (created.schema.name, runtime.language, runtime.entry, runtime.bind) == ("echo", "c", "main", "")
    assert [(a.path, a.digest, a.executable) for a in created.artefacts] == [("main", digest(b"#!/bin/sh\n"), True)]
    assert created.replicas == 0
    assert [decl.WhichOneof("value") for decl in created.schema.decls] == ["data", "data", "verb"]
    (watched,) = fake.requested("WatchDeployment")
    assert watched.deployment_key == fake.key


def test_deploy_works_in_the_current_folder(run, module):
    assert run("deploy", cwd=module.folder).code == 0


def test_deploy_uploads_only_what_is_missing(run, fake, module):
    module.write("lib/a.so", b"a" * 700_000)
    module.write("lib/b.so", b"a" * 700_000)
    module.write("lib/empty", b"")
    module.set(deploy='["main", "lib"]')
    assert run("deploy", "echo").code == 0
    assert sorted(sum(pieces) for pieces in fake.pieces) == [0, 10, 700_000]
    assert max(max(pieces) for pieces in fake.pieces) <= 1 << 20
    assert run("deploy", "echo").code == 0
    assert len(fake.pieces) == 3
    created = fake.requested("CreateDeployment")[1]
    assert [a.path for a in created.artefacts] == ["lib/a.so", "lib/b.so", "lib/empty", "main"]
    assert [a.executable for a in created.artefacts] == [False, False, False, True]


def test_deploy_verbose_shows_each_step(run, fake, module):
    result = run("deploy", "echo", "-v")
    lines = result.err.splitlines()
    assert re.fullmatch(r"echo: +\d+ ms  starting started a Runner", lines[0])
    assert re.fullmatch(r"echo: +\d+ ms  live     calls reach it", lines[1])


def test_deploy_shows_progress_on_a_terminal(environment, fake, module):
    code, out, err = on_a_terminal([FTL, "deploy", "echo"], module.folder.parent, environment, fake)
    assert code == 0
    assert "\r\033[Kecho: uploading 1 of 1 files, 10 bytes" in err
    assert "echo: uploaded 1 of 1 files, 10 bytes\r\n" in err
    assert "live     calls reach it\r\n" in err


def test_deploy_prints_the_number_of_replicas(run, fake, module):
    fake.status.deployments.add(key=fake.key, alive=3, replicas=3)
    result = run("deploy", "echo", "--replicas", "3")
    assert re.fullmatch(r"echo: dpl-echo-0123456789abc is live \(3 replicas, \d+ ms\)\n", result.out)
    assert fake.requested("CreateDeployment")[0].replicas == 3


def test_deploy_says_that_nothing_changed(run, fake, module):
    fake.existed = True
    fake.steps = lambda: iter([step(LIVE, "calls reach it")])
    assert "is live, unchanged (" in run("deploy", "echo").out


def test_deploy_answers_json(run, fake, module):
    result = json.loads(run("deploy", "echo", "-o", "json").out)
    took = result.pop("took_ms")
    assert took >= 0
    assert result == {"module": "echo", "deployment_key": fake.key, "state": "live", "existed": False, "unchanged": False,
                      "replicas": 0}


def test_deploy_does_not_wait(run, fake, module):
    result = run("deploy", "echo", "--no-wait")
    assert result.out.startswith("echo: dpl-echo-0123456789abc was created (")
    assert fake.requested("WatchDeployment") == []


def test_deploy_dry_run_changes_nothing(run, fake, module):
    module.write("data.txt", b"x" * 2000)
    module.set(deploy='["main", "data.txt"]')
    fake.artefacts[digest(b"#!/bin/sh\n")] = b""
    result = run("deploy", "echo", "--dry-run")
    assert result.code == 0
    assert result.out == (
        "echo: the schema is new\n"
        "upload   data.txt (2 KB)\n"
        "present  main (10 bytes, executable)\n"
        "echo: would upload 1 of 2 files, 2 KB\n"
    )
    assert [name for name, _ in fake.requests] == ["GetArtefactDiffs", "GetArtefactDiffs", "GetSchema"]
    plan = json.loads(run("deploy", "echo", "--dry-run", "-o", "json").out)
    assert [(file["path"], file["missing"]) for file in plan["files"]] == [("data.txt", True), ("main", False)]


def test_schema_diff_builds_first(run, start, fake, module):
    module.write("next.ftl", SCHEMA)
    module.set(build='"echo built; cp next.ftl echo.ftl"')
    fake.modules = [schema.Module(name="echo", decls=[schema.Decl(data=schema.Data(name="Gone"))])]
    module.write("next.ftl", "module echo {\n  data Gone {\n  }\n}\n")
    stale = run("schema", "diff", "echo", "--no-build")
    assert stale.code == 3 and stale.err == "" and "Gone is gone" in stale.out and "echo is new" in stale.out
    assert run("schema", "diff", "echo") == Result(0, "echo: the schema is the same\n", "built\n")
    assert json.loads(run("schema", "diff", "echo", "-o", "json").out)["changes"] == []
    module.set(build='"echo broken; exit 3"')
    broken = run("schema", "diff", "echo")
    assert (broken.code, broken.out) == (1, "") and broken.err.startswith("broken\nerror: echo/ftl.toml: the build command exited with 3")
    assert broken.err.endswith("\nhint: --no-build compares the schema as it is\n")
    module.set(build='"touch built"')
    assert run("schema", "diff", "echo", "--endpoint", "http://127.0.0.1:1").code == 1
    assert not (module.folder / "built").exists()
    assert run("schema", "--no-build").code == 2


def test_deploy_builds_first(run, fake, module):
    module.set(build='"echo built for $FTL_MODULE; echo 1 > main"')
    result = run("deploy", "echo")
    assert (result.code, result.err) == (0, "built for echo\n")
    assert digest(b"1\n") in fake.artefacts


def test_deploy_does_not_build_if_told(run, fake, module):
    module.set(build='"exit 1"')
    assert run("deploy", "echo", "--no-build").code == 0


def test_deploy_goes_on_behind_one_that_fails(run, fake, module):
    result = run("deploy", "echo", "nowhere", "echo")
    assert result.code == 1
    assert result.out.count("echo: dpl-echo-") == 2
    assert result.err == ("error: could not find the folder nowhere: No such file or directory\n"
                          "deployed: echo, echo\nfailed: nowhere\n")


@pytest.fixture
def folders(tmp_path):
    """Writes modules of a schema each: name → the body of its schema."""
    def folders(**schemas):
        for name, body in schemas.items():
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            (folder / "ftl.toml").write_text(f'module = "{name}"\nlanguage = "c"\ndeploy = ["main"]\n')
            (folder / f"{name}.ftl").write_text(f"module {name} {{\n{body}}}\n")
            (folder / "main").write_text("#!/bin/sh\n")
            (folder / "main").chmod(0o755)
    return folders


def created(fake):
    return [request.schema.name for request in fake.requested("CreateDeployment")]


ITEM = "  export data Item {\n  }\n  export verb get(Unit) Unit\n"


def test_deploy_orders_by_types_and_calls(run, fake, folders):
    folders(shop="  export data Order {\n    of cart.Item\n  }\n  verb buy(Unit) Unit\n    +calls bill.get\n", cart=ITEM, bill=ITEM)
    result = run("deploy", "shop", "bill", "cart")
    assert (result.code, result.err, created(fake)) == (0, "", ["bill", "cart", "shop"])


def test_deploy_knows_the_order_only_after_a_build(run, fake, folders, tmp_path):
    folders(cart=ITEM, shop="")
    (tmp_path / "shop" / "shop.ftl").unlink()
    toml = tmp_path / "shop" / "ftl.toml"
    text = "module shop {\\n  verb buy(Unit) Unit\\n    +calls cart.get\\n}\\n"
    toml.write_text(toml.read_text() + f"""build = "echo built >>log; printf '{text}' >shop.ftl"\n""")
    assert run("deploy", "shop", "cart").code == 0
    assert created(fake) == ["cart", "shop"]
    assert (tmp_path / "shop" / "log").read_text() == "built\n"  # and built once
    toml.write_text(toml.read_text() + 'uses = ["cart"]\n')
    fake.requests.clear()
    assert run("deploy", "shop", "cart").code == 0
    assert created(fake) == ["cart", "shop"]


def test_deploy_says_what_it_leaves_undone(run, fake, folders):
    folders(cart="  broken\n", shop="  verb buy(Unit) Unit\n    +calls cart.get\n", till="  verb pay(Unit) Unit\n    +calls shop.buy\n",
            bill=ITEM)
    result = run("deploy", "till", "shop", "cart", "bill")
    assert (result.code, created(fake)) == (1, ["bill"])
    assert result.err.endswith("error: cart/cart.ftl has 1 error\n"
                               "error: till is left undone, as it needs shop\n"
                               "error: shop is left undone, as it needs cart\n"
                               "deployed: bill\nfailed: cart\nleft undone: till, shop\n")
    answer = run("deploy", "till", "shop", "cart", "bill", "-o", "json")
    assert json.loads(answer.out)["module"] == "bill"
    assert {"error": "shop is left undone, as it needs cart"} in [
        json.loads(line) for line in answer.err.splitlines() if line.startswith("{")]


def test_deploy_says_how_a_circle_is_cut(run, fake, folders):
    folders(shop="  export data Order {\n    of cart.Item\n  }\n  export verb buy(Unit) Unit\n",
            cart="  export data Item {\n  }\n  export verb get(Unit) Unit\n    +calls shop.buy\n")
    result = run("deploy", "shop", "cart")
    assert (result.code, created(fake)) == (0, ["shop", "cart"])  # as both may be deployed already
    fake.reasons["CreateDeployment"] = (grpc.StatusCode.FAILED_PRECONDITION, "there is no module cart", "SCHEMA_MISFIT")
    refused = run("deploy", "shop", "cart")
    assert refused.code == 1
    assert ("hint: shop and cart need each other, so neither can be first; deploy shop once with --allow-breaking and then all of "
            "them, or move the types that both use into a module of their own\n") in refused.err
    assert "left undone: cart\n" in refused.err
    alone = run("deploy", "shop")
    assert "if each needs the other, --allow-breaking deploys one of them all the same" in alone.err


def test_a_file_that_is_too_large_is_named_before_anything_is_read(run, fake, module, tmp_path):
    fake.max_artefact_bytes = 1 << 20
    with (tmp_path / "echo" / "data.txt").open("wb") as file:
        file.truncate(5 << 30)  # takes no room on the disk, and minutes to be hashed
    (tmp_path / "echo" / "ftl.toml").write_text('module = "echo"\nlanguage = "c"\ndeploy = ["main", "*.txt"]\n')
    began = time.monotonic()
    result = run("deploy", "echo", "--no-build")
    assert result.code == 1 and time.monotonic() - began < 5
    assert result.err == ("error: echo/data.txt has 5368709120 bytes; the Backplane takes files of at most 1048576, which is its "
                          'max-artefact; leave the file out of "deploy", or cut it into several\n')
    assert fake.requested("UploadArtefact") == []


def test_more_files_than_a_deployment_may_have_are_refused_unread(run, fake, module, tmp_path):
    (tmp_path / "echo" / "many").mkdir()
    for number in range(10_001):
        (tmp_path / "echo" / "many" / str(number)).touch()
    (tmp_path / "echo" / "ftl.toml").write_text('module = "echo"\nlanguage = "c"\ndeploy = ["main", "many"]\n')
    result = run("deploy", "echo", "--no-build")
    assert result == Result(1, "", 'error: echo: "deploy" stands for more than 10000 files; name fewer, or pack them into one\n')
    (tmp_path / "echo" / "many" / "0").unlink()
    (tmp_path / "echo" / "many" / "1").unlink()
    assert run("deploy", "echo", "--no-build", timeout=60).code == 0


@pytest.mark.parametrize(("name", "says"), [
    (b"bad\xffname", "echo/bad\\xFFname: a path of 8 bytes is not UTF-8 text"),
    ("é\n".encode(), "echo/é\\x0A: a path of 3 bytes is not UTF-8 text, or has a control character"),
    (b"a\\b", "echo/a\\b: a path of 3 bytes is not UTF-8 text, or has a control character or a backslash"),
])
def test_a_file_whose_name_cannot_be_deployed_is_named(run, fake, module, tmp_path, name, says):
    with open(os.path.join(os.fsencode(tmp_path), b"echo", name), "wb"):
        pass
    (tmp_path / "echo" / "ftl.toml").write_text('module = "echo"\nlanguage = "c"\ndeploy = ["."]\n')
    result = run("deploy", "echo", "--no-build")
    assert result.code == 1 and says in result.err, result.err


def test_an_entry_that_is_not_executable_is_named_before_the_upload(run, fake, module, tmp_path):
    (tmp_path / "echo" / "main").chmod(0o644)
    result = run("deploy", "echo", "--no-build")
    assert result == Result(1, "", "error: echo/ftl.toml: the entry main is not executable; chmod +x echo/main\n")


def test_an_upload_that_fails_names_the_file(run, fake, module):
    fake.fail["UploadArtefact"] = (grpc.StatusCode.RESOURCE_EXHAUSTED, "the disk is full")
    assert "error: could not upload echo/" in run("deploy", "echo", "--no-build").err


def test_nothing_is_built_when_no_backplane_answers(run, module, tmp_path):
    (tmp_path / "echo" / "ftl.toml").write_text('module = "echo"\nlanguage = "c"\nbuild = "touch built"\ndeploy = ["main"]\n')
    assert "could not connect to" in run("deploy", "echo", "--endpoint", "http://127.0.0.1:1").err
    assert not (tmp_path / "echo" / "built").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("command", [["build", "echo"], ["deploy", "echo"], ["deploy", "echo", "--endpoint", "NAME"]],
                         ids=["build", "deploy", "deploy, which has looked a name up by another thread"])
def test_a_signal_ends_all_that_a_build_started(start, fake, module, tmp_path, command, number):
    """The command, a compiler behind it, one whose parent has ended, and one in a session of its own."""
    script = tmp_path / "echo" / "compile.sh"
    script.write_text("#!/bin/sh\nsh compiler.sh &\n(sh compiler.sh &)\nsetsid sh compiler.sh &\ntouch begun\nwait\n")
    (tmp_path / "echo" / "compiler.sh").write_text(f": {tmp_path}\nsleep 60\n")
    module.set(build=f'"sh {script}; true"')
    process = start(*[fake.endpoint.replace("127.0.0.1", "localhost") if word == "NAME" else word for word in command])
    wait_for((tmp_path / "echo" / "begun").exists)
    time.sleep(0.2)
    children = descendants(process.pid)
    assert len(children) >= 5
    process.send_signal(number)
    assert process.wait(timeout=10) == -number
    assert [pid for pid in children if alive(pid)] == []


def test_a_build_that_ignores_the_signal_is_killed(start, module, tmp_path):
    module.set(build="""'trap "" TERM; touch begun; while true; do sleep 1; done'""")
    process = start("build", "echo")
    wait_for((tmp_path / "echo" / "begun").exists)
    children = descendants(process.pid)
    began = time.monotonic()
    process.terminate()
    assert process.wait(timeout=20) == -signal.SIGTERM
    assert 1.5 < time.monotonic() - began < 15
    assert [pid for pid in children if alive(pid)] == []


def test_a_build_goes_on_when_the_signal_is_ignored(start, module, tmp_path):
    """As after nohup."""
    module.set(build="""'touch begun; sleep 1; touch done'""")
    process = start("build", "echo", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for((tmp_path / "echo" / "begun").exists)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=20) == 0 and (tmp_path / "echo" / "done").exists()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def descendants(pid):
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_a_module_in_c_is_built_by_an_ftl_whose_path_has_a_blank(run, module, tmp_path, environment):
    place = tmp_path / "with a blank" / "build"
    (place / "sdk").mkdir(parents=True)
    shutil.copy(FTL, place / "ftl")
    source = Path(__file__).resolve().parents[2]
    (place.parent / "include").symlink_to(source / "include")
    (place / "sdk" / "c").symlink_to(Path(FTL).parent / "sdk" / "c")
    module.write("echo.c", b'#include <ftl/module.h>\nint answer(void) { return FTL_INFO; }\n')
    module.set(build="""'cc $FTL_CFLAGS -c echo.c && cc $FTL_CFLAGS -shared -fPIC -o echo.so echo.c'""")
    built = subprocess.run([place / "ftl", "build", "echo"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    module.set(build="""'printf "%s|%s|%s|%s" "$FTL_CFLAGS" "$FTL_LIBS" "$CPATH" "$LIBRARY_PATH"'""")
    shown = subprocess.run([place / "ftl", "build", "echo"], cwd=tmp_path, env={**environment, "CPATH": "/mine"}, capture_output=True,
                           text=True).stdout
    flags, libraries, include, library = shown.split("|")
    assert flags == "" and libraries.startswith("-l:libftl-module.a ")
    assert include.endswith("/include:/mine") and "with a blank" in include and library.endswith("/sdk/c")


def test_a_folder_that_is_no_module_is_named(run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for command in ("deploy", "build", "generate"):
        assert run(command, "empty").err == (
            "error: there is no empty/ftl.toml, so empty is not a module's folder; see: ftl help ftl.toml\n")
        assert run(command, "file").err == "error: file is a file; name the folder of the module\n"
        assert run(command).err == (
            f"error: there is no ftl.toml, so {tmp_path} is not a module's folder; see: ftl help ftl.toml\n")


def test_deploy_shows_the_last_lines_of_what_failed(run, fake, module):
    lines = ["Traceback:", "  no module \x1b[31mnumpy"]
    fake.steps = lambda: iter([step(STARTING, "started"), step(FAILED, "main exited with 1", lines)])
    result = run("deploy", "echo")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "  | Traceback:\n"
        "  |   no module ?[31mnumpy\n"
        "error: echo: dpl-echo-0123456789abc failed: main exited with 1\n"
    )


def test_deploy_says_that_it_was_replaced(run, fake, module):
    fake.steps = lambda: iter([step(STOPPED, "replaced by dpl-echo-2")])
    result = run("deploy", "echo")
    assert result.err == (
        "error: echo: dpl-echo-0123456789abc was stopped before it was live: replaced by dpl-echo-2\n"
    )


def test_deploy_gives_up_waiting(run, fake, module):
    def steps():
        yield step(STARTING, "started")
        fake.stopping.wait(30)

    fake.steps = steps
    result = run("deploy", "echo", "--timeout", "200ms")
    assert result.code == 1
    assert result.err == (
        "error: echo: dpl-echo-0123456789abc is not live after 200 ms; the Backplane goes on, see: ftl ps\n"
    )


def test_deploy_is_interrupted_while_it_waits(start, fake, module):
    def steps():
        yield step(STARTING, "started")
        fake.stopping.wait(30)

    fake.steps = steps
    goes_on = f"echo: {fake.key} is not live yet; the Backplane goes on, see: ftl ps\n"
    for number, command in enumerate((["deploy", "echo"], ["scale", "echo", "2"], ["deploy", "echo", "-o", "json"])):
        process = start(*command)
        wait_for(lambda: len(fake.requested("WatchDeployment")) > number)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=5)
        assert (process.returncode, out, err) == (130, "", "" if "json" in command else goes_on)


def test_deploy_says_that_the_steps_ended_early(run, fake, module):
    fake.steps = lambda: iter([step(STARTING, "started")])
    result = run("deploy", "echo")
    assert result.err == "error: echo: the Backplane ended the stream before dpl-echo-0123456789abc was live\n"


def test_deploy_passes_on_why_it_was_refused(run, fake, module):
    fake.fail["CreateDeployment"] = (grpc.StatusCode.INVALID_ARGUMENT, "no such entry")
    assert run("deploy", "echo").err == "error: echo: no such entry\n"


@pytest.mark.parametrize("method", ["GetArtefactDiffs", "UploadArtefact", "WatchDeployment"])
def test_deploy_fails_where_the_backplane_fails(run, fake, module, method):
    fake.fail[method] = (grpc.StatusCode.RESOURCE_EXHAUSTED, "the disk is full")
    result = run("deploy", "echo")
    assert (result.code, result.out) == (1, "")
    before = {"WatchDeployment": "echo: dpl-echo-0123456789abc could not be watched until it is live: ",
              "UploadArtefact": "could not upload echo/main: "}
    assert result.err == f"error: {before.get(method, '')}the disk is full\n"


def test_deploy_notices_a_file_that_changes(run, fake, module):
    module.write("big", b"a" * 1000)
    module.set(deploy='["main", "big"]', entry='"main"')
    fake.before_diffs = lambda: module.write("big", b"b" * 1000)
    result = run("deploy", "echo")
    assert result == Result(1, "", "error: echo/big changed while it was being deployed; deploy again\n")
    fake.artefacts.clear()
    fake.before_diffs = lambda: module.write("big", b"c" * 999)
    assert run("deploy", "echo").err == "error: echo/big changed while it was being deployed; deploy again\n"


def test_deploy_notices_a_deleted_file(run, fake, module):
    fake.before_diffs = lambda: (module.folder / "main").unlink()
    assert run("deploy", "echo").err == "error: could not open echo/main: No such file or directory\n"


def test_deploy_notices_a_corrupted_upload(run, fake, module):
    fake.spoil_upload = True
    result = run("deploy", "echo")
    assert result.err == (
        "error: echo/main was damaged on the way: the Backplane computed another digest\n"
    )


def test_deploy_uses_constant_memory(start, fake, module):
    with module.write("main", b"").open("wb") as big:
        big.truncate(300 << 20)
    process = start("deploy", "echo")
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        peak = max(peak, int(found.group(1)) if found else 0)
        time.sleep(0.02)
    assert process.returncode == 0
    assert len(fake.artefacts[digest(bytes(300 << 20))]) == 300 << 20
    if not SANITIZED:
        assert peak < 32 << 10


# --- ftl.toml ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"module": None}, 'echo/ftl.toml: the module has no name; add: module = "NAME"'),
        ({"module": '"1"'}, 'echo/ftl.toml: module is "1"; a name is a letter, then letters, digits and underscores, at most 64'),
        ({"module": "1"}, 'echo/ftl.toml:1:10: "module" must be a string that is not empty'),
        ({"language": None}, 'echo/ftl.toml: the language is missing; add, for example: language = "c"'),
        ({"deploy": None}, 'echo/ftl.toml: "deploy" is missing; add, for example: deploy = ["main"]'),
        ({"deploy": '"main"'}, 'echo/ftl.toml:3:10: "deploy" must be an array of strings that are not empty'),
        ({"deploy": '["main", 2]'}, 'echo/ftl.toml:3:19: "deploy" must be an array of strings that are not empty'),
        ({"entri": '"x"'}, 'echo/ftl.toml:4:1: there is no setting "entri"; did you mean "entry"?'),
        ({"colour": '"x"'}, 'echo/ftl.toml:4:1: there is no setting "colour"'),
        ({"bind": '"tcp"'}, 'echo/ftl.toml: bind is "tcp"; it must be "http" or "unix"'),
        ({"entry": '"mian"'}, 'echo/ftl.toml: the entry "mian" is not among the files of "deploy"; did you mean "main"?'),
        ({"deploy": '["main", "dist/*"]'}, 'echo: "dist/*" in "deploy" stands for no file; was it built?'),
        ({"deploy": '["../x"]'}, 'echo: "deploy": the path "../x" has the part ".."; empty parts, "." and ".." are not allowed'),
        ({"deploy": '["/etc"]'}, 'echo: "deploy": the path "/etc" is absolute; give it relative to the module\'s folder'),
        ({"schema": '"no.ftl"'}, "there is no schema of echo: could not open echo/no.ftl: No such file or directory"),
        ({"build": '"exit 3"'}, "echo/ftl.toml: the build command exited with 3: exit 3"),
        ({"build": '"kill -9 $$"'}, "echo/ftl.toml: the build command was ended by signal 9 (Killed): kill -9 $$"),
    ],
)
def test_deploy_says_what_is_wrong_with_the_settings(run, fake, module, settings, error):
    module.set(**settings)
    assert run("deploy", "echo") == Result(1, "", f"error: {error}\n")
    assert fake.requested("UploadArtefact") == fake.requested("CreateDeployment") == []


def test_deploy_says_where_the_toml_is_invalid(run, module):
    module.write("ftl.toml", 'module = "echo\n')
    result = run("deploy", "echo")
    assert result.code == 1
    assert result.err.startswith("error: echo/ftl.toml:1:15: ")


def test_deploy_shows_the_errors_of_a_schema(run, module):
    module.write("echo.ftl", "module echo {\n  verb echo(echo.Wrong) echo.Wrong\n}\n")
    result = run("deploy", "echo")
    assert result.code == 1
    assert "echo/echo.ftl:2:" in result.err
    assert "^" in result.err
    assert result.err.splitlines()[-1].startswith("error: echo/echo.ftl has ")


def test_deploy_requires_the_schema_of_the_module(run, module):
    module.write("echo.ftl", SCHEMA.replace("module echo", "module ecko").replace("echo.E", "ecko.E"))
    result = run("deploy", "echo")
    assert result.err == 'error: echo/echo.ftl:1:8: the module is "ecko", but echo/ftl.toml says "echo"\n'


def test_deploy_refuses_a_link_that_leaves_the_folder(run, module):
    (module.folder / "secrets").symlink_to("/etc/passwd")
    module.set(deploy='["main", "secrets"]')
    result = run("deploy", "echo")
    assert result.err == (
        "error: echo/secrets is a link to /etc/passwd, outside of the module's folder; deploy a copy instead\n"
    )


# --- the endpoint -----------------------------------------------------------------------------------------------


def test_the_endpoint_comes_from_the_nearest_place(run, environment, fake, module, tmp_path):
    nobody = '"http://127.0.0.1:1"'
    config = tmp_path / "home/.config/ftl/config.toml"
    config.parent.mkdir(parents=True)
    bare = {"env": environment}

    config.write_text(f'endpoint = "{fake.endpoint}"\n')
    assert run("ping", **bare).code == 0

    config.write_text(f"endpoint = {nobody}\n")
    assert run("ping", **bare).code == 1
    module.set(endpoint=f'"{fake.endpoint}"')
    assert run("ping", **bare, cwd=module.folder).code == 0
    assert run("deploy", "echo", **bare).code == 0

    module.set(endpoint=nobody)
    assert run("ping", **bare, cwd=module.folder).code == 1
    assert run("ping", env={**environment, "FTL_ENDPOINT": fake.endpoint}, cwd=module.folder).code == 0

    wrong = {**environment, "FTL_ENDPOINT": "http://127.0.0.1:1"}
    assert run("ping", env=wrong).code == 1
    assert run("ping", "--endpoint", fake.endpoint, env=wrong).code == 0
    assert run("--endpoint", fake.endpoint, "ping", env=wrong).code == 0


def test_a_call_does_not_wait_for_a_peer_that_never_speaks(run):
    """The peer accepts the connection and sends nothing, as a process that hangs does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = run("call", "time.now", "{}", "--endpoint", endpoint)
    assert result.code == 1
    assert f"could not connect to {endpoint} within 10000 ms, which is connect-timeout" in result.err
    assert "sends nothing; check that it speaks HTTP/2" in result.err


def test_the_endpoint_may_be_behind_tls(run, environment, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    files = ["-keyout", str(key), "-out", str(certificate)]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    pair = (key.read_bytes(), certificate.read_bytes())
    secure = FakeBackplane(credentials=grpc.ssl_server_credentials([pair]))
    stranger = run("ping", "--endpoint", secure.endpoint)
    friend = run("ping", "--endpoint", secure.endpoint, env={**environment, "SSL_CERT_FILE": str(certificate)})
    secure.stop()
    assert (stranger.code, stranger.out) == (1, "")
    assert "certificate" in stranger.err
    assert (friend.code, friend.err) == (0, "")


def test_a_wrong_config_file_is_an_error(run, environment, tmp_path):
    config = tmp_path / "config/ftl/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('endpiont = "x"\n')
    result = run("ping", env={**environment, "XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert result.err == f'error: {config}:1:1: there is no setting "endpiont"; did you mean "endpoint"?\n'


# --- ftl build --------------------------------------------------------------------------------------------------


def test_build_passes_the_output_through(run, module):
    module.set(build='"pwd; echo oh >&2"')
    result = run("build", "echo")
    assert result == Result(0, f"{module.folder}\n", "oh\n")


def test_build_answers_json(run, module):
    module.set(build='"pwd; echo oh >&2"')
    result = run("build", "echo", "-o", "json")
    assert result.err == f"{module.folder}\noh\n"
    answer = json.loads(result.out)
    assert answer.pop("took_ms") >= 0
    assert answer == {"module": "echo", "built": True}


def test_build_says_what_failed(run, module):
    module.set(build='"echo no; false"')
    result = run("build", "echo")
    assert result == Result(1, "no\n", "error: echo/ftl.toml: the build command exited with 1: echo no; false\n")


def test_build_passes_the_paths_of_the_sdk(run, module):
    module.set(build="""'echo "$FTL_CFLAGS"; echo "$FTL_LIBS"'""")
    cflags, libs = run("build", "echo").out.splitlines()
    assert Path(cflags.removeprefix("-I"), "ftl/module.h").exists()
    assert libs.split()[0].endswith("/libftl-module.a")
    assert Path(libs.split()[0]).exists()


def test_build_is_interrupted_with_its_command(start, module):
    module.set(build='"echo started; exec sleep 60"')
    process = start("build", "echo", start_new_session=True)
    assert process.stdout.readline() == "started\n"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode in (130, -signal.SIGINT)


# --- ftl ps, status, schema, kill, logs -------------------------------------------------------------------------


@pytest.fixture
def busy(fake):
    now = int(time.time() * 1000)
    fake.status.MergeFrom(
        ftl.StatusResponse(version="0.1.0", started_ms=now - 200_000, endpoint="http://127.0.0.1:8892")
    )
    fake.status.deployments.add(
        key="dpl-echo-1", module="echo", language="c", state=LIVE, replicas=2, alive=1, since_ms=now - 12_500,
        fetch_us=1200, start_us=3400, detail="one Runner died",
    )
    fake.status.deployments.add(
        key="dpl-time-1", module="time", language="c", state=STARTING, replicas=1, since_ms=now - 5000
    )
    fake.status.deployments.add(key="dpl-old-1", module="old", state=FAILED, since_ms=now, detail="it exited")
    fake.status.deployments.add(key="dpl-gone-1", module="gone", state=STOPPED, since_ms=now, detail="killed")
    fake.status.runners.add(
        key="rnr-1", language="c", endpoint="unix:/r/1", state="alive", deployment_key="dpl-echo-1",
        since_ms=now - 12_500, managed=True, calls=7,
    )
    fake.status.runners.add(key="rnr-2", language="c", endpoint="unix:/r/2", state="idle", since_ms=now - 12_500)
    return fake


def columns(text):
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


def test_ps_lists_what_runs(run, busy):
    result = run("ps")
    assert (result.code, result.err) == (0, "")
    title, echo, time_, failed = columns(result.out)
    assert title == ["MODULE", "DEPLOYMENT", "STATE", "ALIVE", "AGE", "RUNNER", "RUNNER IS", "CALLS NOW", "START, OR WHY NOT"]
    assert echo[:4] == ["echo", "dpl-echo-1", "live", "1/2"]
    assert echo[5:] == ["rnr-1", "alive", "7", "fetch 1.2 ms, start 3.4 ms"]
    assert time_[:4] == ["time", "dpl-time-1", "starting", "0/1"]
    assert time_[5:] == ["-", "-", "-", "-"]
    assert failed[2] == "failed" and failed[-1] == "it exited"


def test_ps_all_lists_stopped_deployments(run, busy):
    assert [row[2] for row in columns(run("ps").out)] == ["STATE", "live", "starting", "failed"]
    assert [row[2] for row in columns(run("ps", "--all").out)] == ["STATE", "live", "starting", "failed", "stopped"]


def test_ps_answers_json(run, busy):
    echo, time_, _ = json.loads(run("ps", "-o", "json").out)
    assert (echo["key"], echo["state"], echo["start_us"]) == ("dpl-echo-1", "live", 3400)
    assert [runner["key"] for runner in echo["runners"]] == ["rnr-1"]
    assert time_["runners"] == []


@pytest.fixture
def on_terminal(environment, fake, tmp_path):
    """Runs ftl on a pseudo terminal of some columns, with what a person types. Returns (exit code, what is shown)."""

    def on_terminal(*arguments, columns=80, typed="", type_at=None, stop=None):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(tmp_path)
            os.execve(FTL, [FTL, *arguments], {**environment, "FTL_ENDPOINT": fake.endpoint, "NO_COLOR": "1", "TERM": "xterm"})
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.write(terminal, typed.encode())
        shown = b""
        with contextlib.suppress(OSError):  # of a terminal that nobody has open any more
            while piece := os.read(terminal, 65536):
                shown += piece
                if type_at is not None and shown.endswith(type_at[0].encode()):
                    os.write(terminal, type_at[1].encode())
                if stop is not None and stop(shown.decode(errors="replace")):
                    os.kill(pid, signal.SIGINT)
                    stop = None
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        return code, shown.decode().replace("\r\n", "\n")

    return on_terminal


def test_ps_fits_the_terminal(run, on_terminal, busy):
    busy.status.deployments[2].detail = "main exited with status 3 before it answered Ping\nTraceback:\n  of many lines"
    code, narrow = on_terminal("ps", columns=80)
    assert code == 0 and max(len(line) for line in narrow.splitlines()) <= 80
    assert "DEPLOYMENT" not in narrow and "echo" in narrow and "main exited" in narrow and "…" in narrow
    assert len(narrow.splitlines()) == 4
    code, wide = on_terminal("ps", "-o", "wide", columns=80)
    assert "DEPLOYMENT" in wide and "before it answered Ping…" in wide
    assert "dpl-echo-1" in run("ps").out and "before it answered Ping…" in run("ps").out
    assert max(len(line) for line in on_terminal("status", columns=60)[1].splitlines()) <= 60
    busy.status.deployments[0].module = "é" * 40  # characters count, not bytes
    assert max(len(line) for line in on_terminal("ps", columns=60)[1].splitlines()) <= 60


def test_ps_of_one_module(run, busy):
    assert [line[0] for line in columns(run("ps", "echo").out)] == ["MODULE", "echo"]
    assert run("ls", "echo").out == run("ps", "echo").out
    assert [one["module"] for one in json.loads(run("ps", "time", "-o", "json").out)] == ["time"]
    assert run("ps", "gone") == Result(0, "", "nothing of gone runs; ftl deploy starts it\n")
    assert run("ps", "ecko") == Result(1, "", 'error: there is no module "ecko"; did you mean "echo"?\n'
                                              "hint: ftl ps shows the modules that are deployed\n")


def test_ps_watches_until_interrupted(start, on_terminal, busy):
    code, shown = on_terminal("ps", "--watch", stop=lambda shown: shown.count("MODULE") == 2)
    assert code == 130 and shown.count("\x1b[H\x1b[2J") == 2
    process = start("ps", "echo", "-w", "-o", "json")
    lines = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    assert [line[0]["alive"] for line in lines] == [1, 1]


def test_answers_are_indented_on_a_terminal(run, on_terminal, fake):
    body = '{"a" : [1, 2.50,{}],"b":"x{,}\\"y", "c":[ ],"d":12345678901234567890}'
    assert on_terminal("call", "echo.echo", body)[1] == (
        '{\n  "a": [\n    1,\n    2.50,\n    {}\n  ],\n  "b": "x{,}\\"y",\n  "c": [],\n  "d": 12345678901234567890\n}\n')
    assert run("call", "echo.echo", body).out == body + "\n"
    assert on_terminal("version", "-o", "json")[1].startswith('{\n  "version": ')


def test_errors_are_json_where_answers_are(run, fake):
    fake.fail["Call"] = (grpc.StatusCode.UNAVAILABLE, "echo is \"starting\"")
    for format_ in (["-o", "json"], ["-ojson"], ["--output=json"], ["--output", "json"]):
        failed = run("call", "echo.echo", *format_)
        assert (failed.code, failed.out) == (1, "")
        assert json.loads(failed.err) == {"error": 'echo is "starting"', "code": "Unavailable"}
    misused = run("ps", "--bogus", "-o", "json")
    assert (misused.code, json.loads(misused.err)) == (
        2, {"error": "there is no option --bogus", "code": "InvalidArgument", "hint": "see: ftl help ps"})
    fake.logs = lambda request: iter([ftl.StreamLogsResponse(dropped=7)])
    assert json.loads(run("logs", "-o", "json").err) == {
        "warning": "7 lines were dropped here, as they were not read fast enough"}


def test_kill_asks_when_others_call_the_module(run, on_terminal, fake):
    calls = schema.Metadata(calls=schema.MetadataCalls(calls=[schema.VerbRef(module="echo", name="echo")]))
    unit = schema.Type(unit={})
    verb = schema.Verb(name="greet", request_type=unit, response_type=unit, metadata=[calls])
    echo = schema.Verb(name="echo", export=True, request_type=unit, response_type=unit)
    fake.modules = [schema.Module(name="greeter", decls=[schema.Decl(verb=verb)]),
                    schema.Module(name="echo", decls=[schema.Decl(verb=echo)])]
    for command in (["kill", "echo"], ["stop", "echo"], ["rm", "echo"], ["scale", "echo", "0"]):
        code, shown = on_terminal(*command, typed="n\n")
        assert code == 1 and "greeter calls echo, and would fail; stop it all the same? [y/N] " in shown
        assert "error: echo goes on as before" in shown
    assert fake.requested("KillModule") == fake.requested("ScaleModule") == []
    assert "is ending" in on_terminal("delete", "echo", typed="y\n")[1]
    for command in (["kill", "echo", "--yes"], ["kill", "greeter"]):  # nobody calls greeter
        code, shown = on_terminal(*command)
        assert code == 0 and "[y/N]" not in shown
    assert run("kill", "echo").code == 0  # nobody is there to be asked
    assert len(fake.requested("KillModule")) == 4


def test_ctrl_c_at_a_question_stops_nothing(on_terminal, fake):
    calls = schema.Metadata(calls=schema.MetadataCalls(calls=[schema.VerbRef(module="echo", name="echo")]))
    verb = schema.Verb(name="greet", request_type=schema.Type(unit={}), response_type=schema.Type(unit={}), metadata=[calls])
    fake.modules = [schema.Module(name="greeter", decls=[schema.Decl(verb=verb)])]
    for command in (["kill", "echo"], ["scale", "echo", "0"]):
        code, shown = on_terminal(*command, type_at=("[y/N] ", "\x03"))
        assert code == 130 and shown.endswith("[y/N] ^C\n")
        code, shown = on_terminal(*command, type_at=("[y/N] ", "\x04"))  # the end of the input is no yes
        assert code == 1 and shown.endswith("[y/N] \nerror: echo goes on as before\n")
        code, shown = on_terminal(*command, type_at=("[y/N] ", "no\n"))
        assert code == 1
    assert fake.requested("KillModule") == fake.requested("ScaleModule") == []


def complete(run, *words):
    result = run("completion", "words", "--", *words)
    assert (result.code, result.err) == (0, "")
    return [line.split("\t")[0] for line in result.out.splitlines()]


def test_completion_knows_commands_options_modules_and_verbs(run, busy):
    assert complete(run, "de") == ["deploy", "describe", "delete"]
    assert complete(run, "help", "hi") == ["history"]
    assert set(complete(run, "")) == {*COMMANDS, "help", "ls", "stop", "rm", "delete"}
    assert complete(run, "deploy", "--no") == ["--no-build", "--no-wait"]
    assert complete(run, "-o", "ps", "-o", "") == complete(run, "ps", "--output", "") == ["table", "wide", "json"]
    assert complete(run, "serve", "--log-level", "") == ["debug", "info", "warn", "error"]
    assert complete(run, "serve", "--data", "") == [":folders"] == complete(run, "deploy", "x", "")
    assert complete(run, "serve", "--tls-cert", "") == [":files"]
    assert complete(run, "kill", "") == ["echo", "time", "old", "gone"]
    assert complete(run, "kill", "echo", "") == []
    assert complete(run, "call", "e") == ["echo.echo"]
    assert complete(run, "schema", "") == ["get", "diff", "openapi"]
    assert complete(run, "schema", "get", "t") == ["time"] == complete(run, "schema", "openapi", "echo", "t")
    assert complete(run, "schema", "diff", "") == [":folders"]
    assert complete(run, "completion", "") == ["bash", "zsh", "fish"]
    assert complete(run, "--endpoint", "http://127.0.0.1:1", "kill", "") == []  # no Backplane is no error


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_in_a_shell(run, busy, environment, tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(run("completion", shell).out)
    (tmp_path / "folder").mkdir()

    def offered(*words):
        """What the shell offers in place of the last word, which may be empty."""
        last = len(words)
        listed = " ".join(f"'{word}'" for word in ("ftl", *words))
        ask = {
            "bash": f'compopt() {{ COMPREPLY+=("$2"); }}; source ./script; COMP_WORDS=({listed}); COMP_CWORD={last}; _ftl; '
                    'printf "%s\\n" "${COMPREPLY[@]}"',
            "zsh": 'compdef() { :; }; _describe() { print -l ${found%%:*}; }; _files() { print files $1; }; source ./script; '
                   f'words=({listed}); CURRENT={last + 1}; _ftl',
            "fish": f"source ./script; complete -C '{' '.join(('ftl', *words))}' | string split -f1 \\t",
        }[shell]
        found = subprocess.run([shell, "-c", ask], cwd=tmp_path, capture_output=True, text=True, timeout=20,
                               env={**environment, "FTL_ENDPOINT": busy.endpoint, "PATH": f"{BUILD}:{environment['PATH']}"})
        assert found.stderr == ""
        return found.stdout.splitlines()

    folders = {"bash": ["dirnames"], "zsh": ["files -/"], "fish": ["folder/", "home/"]}[shell]
    assert offered("kill", "e") == ["echo"]
    assert sorted(offered("kill", "")) == ["echo", "gone", "old", "time"]
    assert sorted(offered("ps", "-o", "")) == ["json", "table", "wide"]
    assert sorted(offered("schema", "")) == ["diff", "get", "openapi"]
    assert sorted(offered("schema", "get", "")) == ["echo", "gone", "old", "time"]
    assert offered("schema", "diff", "") == offered("deploy", "") == folders
    assert set(offered("")) == {*COMMANDS, "help", "ls", "stop", "rm", "delete"}
    assert offered("sche") == ["schema"]


def test_an_empty_answer_is_said_on_standard_error(run, fake):
    """Not on standard output, which a script counts."""
    assert run("ps") == Result(0, "", "nothing runs; deploy something: ftl deploy DIR\n")
    assert json.loads(run("ps", "-o", "json").out) == []
    fake.stats = ftl.CallStatsResponse(since_ms=int(time.time() * 1000) - 300_000)
    assert run("stats") == Result(0, "", "nothing was called in the 5 min since the Backplane started\n")
    assert run("stats", "-o", "json").err == ""


def test_status_shows_everything(run, busy):
    busy.status.problems.append("echo has 1 of 2 replicas")
    result = run("status")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("FTL 0.1.0 at http://127.0.0.1:8892, up 3 min\n\nMODULE ")
    assert "one Runner died" in result.out
    assert ["rnr-2", "c", "idle"] == [row for row in columns(result.out) if row[0] == "rnr-2"][0][:3]
    assert result.out.endswith("\n1 problem:\n  echo has 1 of 2 replicas\n")


def test_status_without_problems(run, fake):
    assert run("status").out.endswith("\nNo problems.\n")


def test_status_answers_json(run, busy):
    status = json.loads(run("status", "-o", "json").out)
    assert [deployment["state"] for deployment in status["deployments"]] == ["live", "starting", "failed", "stopped"]
    assert status["problems"] == []
    assert status["runners"][0]["managed"] is True


def test_schema_prints_text_that_deploys_again(run, fake, module):
    run("deploy", "echo")
    deployed = fake.requested("CreateDeployment")[0].schema
    fake.modules = [deployed]
    result = run("schema", "echo")
    assert (result.code, result.err) == (0, "")
    assert fake.requested("GetSchema")[0].module == "echo"
    module.write("echo.ftl", result.out)
    assert run("deploy", "echo").code == 0
    again = fake.requested("CreateDeployment")[1].schema
    assert [decl.WhichOneof("value") for decl in again.decls] == ["data", "data", "verb"]


def test_schema_answers_json(run, fake, module):
    run("deploy", "echo")
    fake.modules = [fake.requested("CreateDeployment")[0].schema]
    (echo,) = json.loads(run("schema", "-o", "json").out)
    assert echo["name"] == "echo"
    assert echo["decls"][2]["verb"]["request"]["name"] == "EchoRequest"
    assert run("schema", "-o", "table") == run("schema")


def test_schema_reports_a_schema_that_it_does_not_understand(run, fake):
    fake.modules = [schema.Module(name="odd", decls=[schema.Decl()])]
    result = run("schema")
    assert result.code == 1
    assert result.err.startswith('error: the schema of "odd" is not one that this program understands: ')


def test_kill_names_the_deployment_that_ends(run, fake):
    assert run("kill", "echo") == Result(
        0, "echo: dpl-echo-0123456789abc is ending; calls that it has may finish\n", ""
    )
    assert fake.requested("KillModule")[0].module == "echo"
    assert json.loads(run("kill", "echo", "-o", "json").out) == {"module": "echo", "deployment_key": fake.key}
    fake.killed = ""
    assert run("kill", "echo").out == "echo: nothing of it ran\n"
    fake.fail["KillModule"] = (grpc.StatusCode.NOT_FOUND, "no such module")
    assert run("kill", "echo") == Result(1, "", "error: no such module\n")


def entry(**fields):
    fields = {"time_ms": 1_700_000_000_123, "level": "info", "message": "hello", "module": "echo", **fields}
    return ftl.StreamLogsResponse(entry=ftl.LogEntry(**fields))


def test_logs_prints_lines(run, fake):
    attributes = '{"user":"Bob Ross","n":3,"why":"x","deep":{"a":[1]}}'
    fake.logs = lambda request: iter([
        entry(),
        entry(level="error", message="no \x1b[2J", attributes=attributes),
        ftl.StreamLogsResponse(dropped=7),
        entry(attributes="odd"),
    ])
    result = run("logs", "echo", "--tail", "5")
    assert result.code == 0
    assert result.out == (
        "2023-11-14T22:13:20.123Z info  echo hello\n"
        '2023-11-14T22:13:20.123Z error echo no ?[2J user="Bob Ross" n=3 why=x deep={"a":[1]}\n'
        "2023-11-14T22:13:20.123Z info  echo hello odd\n"
    )
    assert result.err == "warning: 7 lines were dropped here, as they were not read fast enough\n"
    (request,) = fake.requested("StreamLogs")
    assert (request.module, request.tail, request.follow) == ("echo", 5, False)


@pytest.mark.parametrize(("command", "nothing"), [("logs", "no such line is kept"), ("events", "no event is kept")])
def test_a_module_that_is_misspelt_is_named(run, start, busy, command, nothing):
    busy.logs = busy.events = lambda request: iter([])
    warning = 'warning: there is no module "ecko"; did you mean "echo"?\n'
    assert run(command, "ecko") == Result(0, "", f"{nothing}\n{warning}")
    assert run(command, "echo") == run(command, "xyzzy") == run(command) == Result(0, "", f"{nothing}\n")
    busy.logs = busy.events = lambda request: iter([busy.stopping.wait(30)])
    process = start(command, "-f", "ecko")
    assert process.stderr.readline() == warning
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130


def test_a_word_of_schema_that_is_misspelt_is_named(run, fake):
    fake.reasons["GetSchema"] = (grpc.StatusCode.NOT_FOUND, "there is no module dif", "NO_SUCH_MODULE")
    assert run("schema", "dif") == Result(1, "", "error: there is no module dif\nhint: did you mean: ftl schema diff\n")
    assert run("schema", "greeter").err == "error: there is no module dif\nhint: ftl ps shows the modules that are deployed\n"
    assert run("schema", "dif", "folder") == Result(
        2, "", 'error: "folder" is one argument too many\nhint: did you mean: ftl schema diff\nsee: ftl help schema\n')


def test_numbers_have_no_more_digits_than_they_need(run, fake):
    fake.logs = lambda request: iter([entry(attributes='{"a":0.1,"b":[0.758],"c":0.30000000000000004,"d":1e300}')])
    assert run("logs").out.endswith(" echo hello a=0.1 b=[0.758] c=0.30000000000000004 d=1e300\n")
    fake.logs = lambda request: iter([entry(attributes='{"a":0.1,"b":[0.758]}')])
    assert '"attributes": {"a": 0.1, "b": [0.758]}' in run("logs", "-o", "json").out


def test_logs_passes_on_what_is_chosen(run, fake):
    fake.logs = lambda request: iter([entry()])
    began = int(time.time() * 1000)
    assert run("logs", "echo", "time", "--since", "10m", "--level", "warn", "--request", "req-1", "-n", "7").code == 0
    assert run("logs", "--since", "2026-01-31T08:00:00Z").code == 0
    first, second = fake.requested("StreamLogs")
    assert (list(first.modules), first.level, first.request_id, first.tail) == (["echo", "time"], "warn", "req-1", 7)
    assert abs(began - 600_000 - first.since_ms) < 10_000
    assert (second.since_ms, second.tail) == (1769846400000, (1 << 32) - 1)
    fake.logs = lambda request: iter([])
    assert run("logs", "echo") == Result(0, "", "no such line is kept\n")
    assert run("logs", "--level", "loud").code == run("logs", "--since", "yesterday").code == 2


def test_times_are_local_with_their_zone_on_a_terminal(run, on_terminal, environment, fake):
    environment["TZ"] = "<+0545>-5:45"  # a name would need the data of all zones, which a bare system lacks
    fake.logs = lambda request: iter([entry()])
    fake.events = lambda request: iter([ftl.StreamEventsResponse(event=ftl.Event(time_ms=1_700_000_000_123, text="live"))])
    for command in ("logs", "events"):
        assert on_terminal(command)[1].startswith("2023-11-15 03:58:20.123+05:45 ")
        assert on_terminal(command, "--utc")[1].startswith("2023-11-14T22:13:20.123Z ")
        assert run(command).out.startswith("2023-11-14T22:13:20.123Z ")


def test_logs_answers_json(run, fake):
    fake.logs = lambda request: iter([entry(attributes='{"n":3}'), entry(message="again")])
    first, second = [json.loads(line) for line in run("logs", "-o", "json").out.splitlines()]
    assert (first["message"], first["attributes"]) == ("hello", {"n": 3})
    assert second["message"] == "again"


def test_logs_follows_until_sigint(start, fake):
    def logs(request):
        assert request.follow
        yield entry()
        fake.stopping.wait(30)

    fake.logs = logs
    process = start("logs", "-f")
    assert process.stdout.readline() == "2023-11-14T22:13:20.123Z info  echo hello\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, "", "")


def test_logs_reads_more_than_a_flow_control_window(run, fake):
    fake.logs = lambda request: (entry(message="x" * 10_000) for _ in range(500))
    assert len(run("logs").out.splitlines()) == 500


def test_logs_fails_with_the_backplane(run, fake):
    fake.fail["StreamLogs"] = (grpc.StatusCode.UNAVAILABLE, "going down")
    assert run("logs", "-f") == Result(1, "", "error: going down\n")


def test_logs_ends_when_its_output_is_closed(start, fake):
    fake.logs = lambda request: (entry(message="x" * 10_000) for _ in range(100_000))
    process = start("logs", "-f")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=10) == 1
    assert process.stderr.read() == ""


@pytest.mark.parametrize(("path", "error"), [
    ("none/endpoint", "none/endpoint cannot be written in the folder none: No such file or directory"),
    ("folder", "folder is a folder; name a file"),
])
def test_a_port_file_that_cannot_be_written_fails_the_start(run, tmp_path, path, error):
    (tmp_path / "folder").mkdir()
    result = run("serve", "--bind", "http://127.0.0.1:0", "--data", "data", "--port-file", path)
    assert result == Result(1, "", f"error: --port-file: {error}\n")
    assert not (tmp_path / "data").exists()


def test_a_port_file_that_becomes_unwritable_ends_the_backplane(run, tmp_path):
    """Its temporary file beside it is a folder, which only shows once the Backplane is ready."""
    result = run("serve", "--bind", "http://127.0.0.1:0", "--data", "data", "--port-file", "x" * 255)
    assert result.code == 1
    assert "FTL serves on" not in result.err
    assert "error: --port-file: " in result.err and "File name too long" in result.err


# --- ftl serve --------------------------------------------------------------------------------------------------


@pytest.fixture
def serve(start, tmp_path):
    """Starts `ftl serve` on a data folder of its own. Returns the process."""

    def serve(bind="http://127.0.0.1:0"):
        arguments = ["--bind", bind, "--data", str(tmp_path / "data"), "--port-file", str(tmp_path / "endpoint")]
        return start("serve", *arguments)

    return serve


def test_serve_prints_where_it_listens(serve, run, tmp_path):
    (tmp_path / "endpoint").write_text("http://127.0.0.1:1")
    process = serve()
    said = process.stderr.readline()
    endpoint = (tmp_path / "endpoint").read_text()
    assert said == f"FTL serves on {endpoint}\n"
    assert run("ping", "--endpoint", endpoint).code == 0
    process.terminate()
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    assert not (tmp_path / "endpoint").exists()


def test_serve_warns_when_other_machines_can_reach_it(serve):
    process = serve("http://0.0.0.0:0")
    warning = process.stderr.readline()
    assert warning.startswith("warning: http://0.0.0.0:0 can be reached from other machines, and FTL does not authenticate callers yet")


def test_serve_keeps_its_data_in_xdg_data_home(start, environment, tmp_path):
    process = start("serve", "--bind", "http://127.0.0.1:0", env={**environment, "XDG_DATA_HOME": str(tmp_path / "xdg")})
    assert process.stderr.readline().startswith("FTL serves on ")
    assert (tmp_path / "xdg/ftl").is_dir()


def test_serve_says_that_the_port_is_taken(run, fake, tmp_path):
    result = run("serve", "--bind", fake.endpoint, "--data", str(tmp_path / "data"))
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert fake.endpoint.split(":")[-1] in result.err


# --- help and wrong usage ---------------------------------------------------------------------------------------

COMMANDS = (
    "serve generate build deploy call ps status describe stats schema logs events history scale restart rollback kill ping "
    "runner completion version"
).split()


def test_help_names_every_command(run):
    result = run()
    assert (result.code, result.err) == (0, "")
    assert "\nftl help ftl.toml explains" in result.out
    assert "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unsafe (ftl schema diff, ftl deploy --dry-run), 130 interrupted.\n" in result.out
    listed = [line.split()[0] for line in result.out.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    assert listed == [*COMMANDS, "help"]
    assert run("help").out == run("--help").out == result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_an_example(run, command):
    result = run("help", command)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Example:\n  ftl {command}")
    assert f"\nUsage:\n  ftl {command} [OPTION…]" in result.out
    assert run(command, "--help").out == run(command, "-h").out == result.out
    assert max(len(line) for line in result.out.splitlines()) <= 105


def test_help_names_every_setting(run):
    result = run("help", "ftl.toml")
    listed = [line.split()[0] for line in result.out.split("Settings:\n")[1].splitlines() if line[2] != " "]
    assert listed == "module language build deploy entry generate uses schema bind endpoint".split()


def test_help_of_a_command(run):
    assert run("help", "kill").out == """Example:
  ftl kill echo

Usage:
  ftl kill [OPTION…] MODULE

Also: ftl stop, ftl rm, ftl delete

Asks on a terminal when other modules call it, by the +calls of their schemas.

Options:
  -y, --yes                     do not ask, although other modules call it
  -o, --output FORMAT           "table", which fits the terminal, "wide" with all columns, or
                                "json" for programs, also of errors (default table)
      --endpoint URL            the Backplane: http[s]://HOST:PORT or unix:PATH (else FTL_ENDPOINT,
                                else "endpoint" in ftl.toml or in ~/.config/ftl/config.toml,
                                else http://127.0.0.1:8892)
      --ca FILE                 authorities (PEM) to trust when it is at https:// (else FTL_CA,
                                else "ca" in config.toml, else those of the system)
      --cert FILE               certificate and chain (PEM) to show at https:// (else FTL_CERT,
                                else "cert" in config.toml)
      --key FILE                its key (PEM) (else FTL_KEY, else "key" in config.toml)
  -h, --help                    this text
"""


def test_version(run):
    assert re.fullmatch(r"ftl \d+\.\d+\.\d+\n", run("version").out)
    assert run("--version").out == run("-v").out == run("-V").out == run("version").out
    assert json.loads(run("version", "-o", "json").out)["version"] in run("version").out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["depoly"], 'there is no command "depoly"; did you mean "deploy"?\nsee: ftl help'),
        (["xyzzy"], 'there is no command "xyzzy"\nsee: ftl help'),
        (["help", "cal"], 'there is no command "cal"; did you mean "call"?\nsee: ftl help'),
        (["call", "a.b", "--timout", "3"], "there is no option --timout; did you mean --timeout?\nsee: ftl help call"),
        (["call", "a.b", "--timout=3"], "there is no option --timout; did you mean --timeout?\nsee: ftl help call"),
        (["call", "-x", "a.b"], "there is no option -x\nsee: ftl help call"),
        (["call", "a.b", "--timeout"], "--timeout needs a value: a time such as 500ms, 30s or 2m\nsee: ftl help call"),
        (["call", "a.b", "--timeout", "3x"],
         '--timeout is "3x"; it must be a time such as 500ms, 30s or 2m\nsee: ftl help call'),
        (["call", "a.b", "--verbose=1"], "--verbose takes no value\nsee: ftl help call"),
        (["call"], "an argument is missing: MODULE.VERB [JSON | - | @FILE]\nsee: ftl help call"),
        (["call", "a.b", "{}", "c"], '"c" is one argument too many\nsee: ftl help call'),
        (["ps", "-o", "yaml"], '--output is "yaml"; it must be "table", "wide" or "json"\nsee: ftl help ps'),
        (["deploy", "-n", "-1"], '--replicas is "-1"; it must be a number from 1 to 100\nsee: ftl help deploy'),
        (["deploy", "-n", "101"], '--replicas is "101"; it must be a number from 1 to 100\nsee: ftl help deploy'),
        (["scale", "m", "-1"], 'N is "-1"; it must be a number of replicas from 0 to 100\nsee: ftl help scale'),
        (["scale", "m", "101"], 'N is "101"; it must be a number of replicas from 0 to 100\nsee: ftl help scale'),
        (["scale", "m", "two"], 'N is "two"; it must be a number of replicas from 0 to 100\nsee: ftl help scale'),
        (["call", "a.b", "-5", "-x"], "there is no option -x\nsee: ftl help call"),
        (["deploy", "-n", "0"], '--replicas is "0"; it must be a number from 1 to 100\nsee: ftl help deploy'),
        (["logs", "-n", "-1"], '--tail is "-1"; it must be a number from 0 to 100000\nsee: ftl help logs'),
        (["--bogus"], 'a command is missing beside "--bogus"\nsee: ftl help'),
        (["--endpoint", "http://127.0.0.1:1"], 'a command is missing beside "--endpoint"\nsee: ftl help'),
        (["--ca", "ps", "pss"], 'there is no command "pss"; did you mean "ps"?\nsee: ftl help'),
        (["schema", "-o", "yaml"], 'there is no format "yaml"; there is text, json and proto\nsee: ftl help schema'),
        (["serve", "--max-message", "1mb"],
         '--max-message is "1mb"; it must be a size such as 64MiB or 1MB\nsee: ftl help serve'),
        (["serve", "--max-held", "1KiB"], "--max-held is 1024 bytes; it must be at least 1MiB\nsee: ftl help serve"),
        (["serve", "--max-message", "1GiB"],
         "--max-message is 1073741824 bytes; it must be from 1 byte to 64MiB\nsee: ftl help serve"),
        (["serve", "--db", "postgres"], '--db is "postgres"; there is only "sqlite" so far\nsee: ftl help serve'),
        (["serve", "--platform", "k8s"], '--platform: there is no platform "k8s"; there is "local"\nsee: ftl help serve'),
        (["serve", "--platform", "locla"],
         '--platform: there is no platform "locla"; there is "local"; did you mean "local"?\nsee: ftl help serve'),
        (["serve", "--platform", "local:cpu=1"],
         '--platform: the platform "local" has no option "cpu"; it has no options\nsee: ftl help serve'),
        (["serve", "--bind", "8892"],
         '--bind: "8892" is not an endpoint: its scheme is unknown; give http://HOST:PORT, https://HOST:PORT '
         "or unix:PATH\nsee: ftl help serve"),
        (["runner"], "the language is missing: --language NAME\nsee: ftl help runner"),
    ],
)
def test_wrong_usage(run, arguments, error):
    assert run(*arguments) == Result(2, "", f"error: {error}\n")


def test_a_full_disk_is_a_failure(run):
    with open("/dev/full", "w") as full:
        result = run("help", stdout=full)
    assert result.code == 1
    assert result.err == "error: could not write to standard output: No space left on device\n"


def on_a_terminal(command, folder, environment, fake):
    """Runs a command with standard error on a terminal. Returns its exit code and what it wrote."""
    terminal, end = os.openpty()
    given = {**environment, "FTL_ENDPOINT": fake.endpoint, "TERM": "xterm", "NO_COLOR": ""}
    process = subprocess.Popen(command, cwd=folder, env=given, stdout=subprocess.PIPE, stderr=end, text=True)
    os.close(end)
    err = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            piece = b""
        if not piece:
            break
        err += piece
    out, _ = process.communicate(timeout=20)
    os.close(terminal)
    return process.returncode, out, err.decode()


def test_colour_is_for_terminals(run, environment, fake, tmp_path):
    command = [FTL, "call", "echo"]
    _, _, err = on_a_terminal(command, tmp_path, environment, fake)
    assert err.startswith('\033[31merror: \033[0m"echo" names no verb')
    _, _, err = on_a_terminal(["env", "NO_COLOR=1", *command], tmp_path, environment, fake)
    assert err.startswith('error: "echo" names no verb')
