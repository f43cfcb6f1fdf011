# SPDX-License-Identifier: Apache-2.0
"""A Backplane and three modules that call each other under constant load from grpcio and http.client. Each second one
action disturbs them. docs/lifecycle.md lists the measures and the conditions; script/soak runs this."""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import grpc  # noqa: E402
from fake_backplane import ftl, ftl_grpc, schema  # noqa: E402
from harness import FTL, Backplane, artefact, module, processes_that_name  # noqa: E402

MODULES = ("front", "middle", "back")
VERSIONS = 5  # of each module, so that there are deployments to roll back to
CHILD_MAX, BACKPLANE_MAX = 1.0, 2.0  # seconds to recovery, p99
SILENCE_MAX = 5.0  # seconds until a Runner that hangs is noticed, added to the recovery
STABLE = 5.0  # seconds: a child that lived for longer is started again at once
WHILE_HUNG = " beside a Runner that hangs"
MEMORY_GROWTH, FILES_GROWTH = 32 << 20, 16
SETTLED_MAX = 60  # seconds after the last action until the processes are as at the start
# Errors of calls that were in progress on a killed process: the text of the Backplane, those of grpcio and Python for a
# lost Backplane, and that of a verb that calls another while there is no Backplane.
WAS_UNDER_WAY = ("may have run", "Stream removed", "Socket closed", "onnection reset", "Broken pipe", "connection lost",
                 "could not connect to http://127.0.0.1")
KEEPS_DYING = re.compile(r"failed \d+ times in a row")

C_MODULE = """
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <ftl/module.h>

/* Records that the call ran, by one write(). */
static void record(struct ftl_context *ftl, const char *verb) {
	char path[4096], line[256];
	snprintf(path, sizeof path, "%%s/%%s.%%d", RECORD, NAME, (int)getpid());
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	int len = snprintf(line, sizeof line, "%%s %%s\\n", verb, ftl_get_string(ftl, ftl->request, "id"));
	if (write(fd, line, (size_t)len) != len)
		_exit(7);
	close(fd);
}

static int leaf(struct ftl_context *ftl) {
	record(ftl, "leaf");
	return ftl_reply(ftl, ftl_format(ftl, "{\\"id\\": %%s}", ftl_quote(ftl, ftl_get_string(ftl, ftl->request, "id"))));
}

static int through(struct ftl_context *ftl) {
	record(ftl, "through");
	const char *id = ftl_get_string(ftl, ftl->request, "id");
	if (ftl_call(ftl, NEXT, ftl_format(ftl, "{\\"id\\": %%s}", ftl_quote(ftl, id))) == NULL)
		return -1;
	return ftl_reply(ftl, ftl_format(ftl, "{\\"id\\": %%s}", ftl_quote(ftl, id)));
}

FTL_MODULE(NAME, {.name = "leaf", .run = leaf}, {.name = "through", .run = through});
""".replace("%%", "%")

PYTHON_MODULE = """#!/usr/bin/env python3
import json, os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
sys.path[:0] = json.loads(os.environ["TEST_PYTHON_PATH"])
import grpc
from xyz.block.ftl.v1 import ftl_pb2, ftl_pb2_grpc

file = os.open(f"{os.environ['SOAK_RECORD']}/back.{os.getpid()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

class Verbs(ftl_pb2_grpc.VerbServiceServicer):
    def Ping(self, request, context):
        return ftl_pb2.PingResponse()

    def Call(self, request, context):
        os.write(file, f"{request.verb.name} {json.loads(request.body)['id']}\\n".encode())
        return ftl_pb2.CallResponse(body=request.body)

server = grpc.server(ThreadPoolExecutor(8))
ftl_pb2_grpc.add_VerbServiceServicer_to_server(Verbs(), server)
server.add_insecure_port(os.environ["FTL_BIND"].removeprefix("http://"))
server.start()
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop.wait()
server.stop(10).wait()
"""


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def age_of(pid):
    """Seconds since the process started; 0: it has ended."""
    try:
        started = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except OSError:
        return 0.0
    return float(Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")


class Soak:
    def __init__(self, given):
        self.given = given
        self.chance = random.Random(given.seed)
        self.folder = Path(tempfile.mkdtemp(prefix="ftl-soak-"))
        self.record = self.folder / "record"
        self.record.mkdir()
        os.environ["SOAK_RECORD"] = str(self.record)
        os.environ["TEST_PYTHON_PATH"] = json.dumps(sys.path)
        self.backplane = Backplane(self.folder, "--drain-timeout", "20s", "--log-level", "info")
        self.done, self.kills, self.recovery = Counter(), [], {}
        self.acknowledged = {name: set() for name in MODULES}
        self.clients, self.leaving, self.stopped, self.broken = [], [], [], []

    # --- modules

    def build(self):
        self.files = {}
        flags, libraries = self.c_flags()
        source = self.folder / "module.c"
        source.write_text(C_MODULE)
        for name, following, options, out in (
            ("front", "middle.through", ["-shared", "-fPIC"], "main.so"),
            ("middle", "back.leaf", [], "main"),
        ):
            output = self.folder / f"{name}-{out}"
            defines = [f'-DNAME="{name}"', f'-DNEXT="{following}"', f'-DRECORD="{self.record}"']
            command = ["cc", "-O2", *options, *defines, *flags, "-o", output, source]
            subprocess.run(command + ([] if options else libraries), check=True)
            self.files[name] = (out, output.read_bytes())
        self.files["back"] = ("main", PYTHON_MODULE.encode())

    def c_flags(self):
        """The compiler and linker flags that `ftl build` passes to the build of a module."""
        project = self.folder / "flags"
        project.mkdir()
        build = 'echo "$FTL_CFLAGS" > flags; echo "$FTL_LIBS" >> flags'
        entry = 'deploy = ["flags"]\nentry = "flags"\n'
        (project / "ftl.toml").write_text(f"module = \"x\"\nlanguage = \"c\"\nbuild = '{build}'\n{entry}")
        subprocess.run([FTL, "build", project], check=True, capture_output=True)
        return [line.split() for line in (project / "flags").read_text().splitlines()]

    def deploy(self, name, version):
        out, content = self.files[name]
        calls = {"front": ("middle", "through"), "middle": ("back", "leaf")}.get(name)
        refs = [schema.VerbRef(module=calls[0], name=calls[1])] if calls else []
        verbs, language = (["leaf", "through"], "c") if calls else (["leaf"], "python")
        described = module(name, verbs, language, [f"version {version}"], refs, entry=out)
        del described.decls[0].data.fields[:]
        described.decls[0].data.fields.append(schema.Field(name="id", type=schema.Type(string=schema.String())))
        for decl in described.decls[1:]:
            if decl.verb.name == "leaf":
                del decl.verb.metadata[:]
        self.backplane.upload(content)
        files = [artefact(out, content, executable=not out.endswith(".so"))]
        key = self.backplane.create(described, files).deployment_key
        self.acknowledged[name].add(key)
        return key

    # --- actions

    def retried(self, what):
        """Makes a control request, and repeats it while the Backplane is down."""
        for _ in range(100):
            try:
                return what()
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    return error.details()
                time.sleep(0.1)
        raise AssertionError("the Backplane does not come back")

    def replace(self):
        name, version = self.chance.choice(MODULES), self.chance.randrange(VERSIONS)
        self.retried(lambda: self.deploy(name, version))

    def scale(self):
        request = ftl.ScaleModuleRequest(module=self.chance.choice(MODULES), replicas=self.chance.randint(1, 3))
        self.retried(lambda: self.backplane.rpc.ScaleModule(request, timeout=10))

    def rollback(self):
        request = ftl.RollbackModuleRequest(module=self.chance.choice(MODULES))
        self.retried(lambda: self.backplane.rpc.RollbackModule(request, timeout=10))

    def takeover(self):
        self.leaving.append(self.backplane.process)
        self.backplane.start("--takeover")

    def processes(self, runner):
        """The Runners or the children of this run, whose command lines name its folder."""
        found = []
        for pid, line in processes_that_name(str(self.folder)):
            is_runner = " runner " in line and str(FTL) in line
            is_child = not is_runner and "/data/run/" in line and " serve " not in line and "load.py" not in line
            if is_runner if runner else is_child:
                found.append(pid)
        return sorted(found)

    def kill(self, pid, number=signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def kill_child(self):
        pids = self.processes(runner=False)
        if not pids:
            return
        pid = self.chance.choice(pids)
        # The delay before a restart grows with each early death of a child.
        what = "kill_child" if age_of(pid) > STABLE + 1 else "kill_young_child"
        if self.kill(pid):
            self.measure(what)

    def kill_runner(self):
        pids = self.processes(runner=True)
        if pids and self.kill(self.chance.choice(pids)):
            self.measure("kill_runner")

    def stop_runner(self):
        pids = self.processes(runner=True)
        if not pids:
            return
        pid = self.chance.choice(pids)
        if self.kill(pid, signal.SIGSTOP):
            left = self.chance.random() < 0.3  # long enough that the Backplane gives up the Runner
            self.stopped.append((time.monotonic() + (60 if left else self.chance.uniform(0.2, 6)), pid))
            self.kills.append(("stop_runner", time.time()))

    def hung(self):
        """Whether a stopped Runner is there. Recovery from another fault may then take until the stop is noticed."""
        return any(Path(f"/proc/{pid}").exists() for _, pid in self.stopped)

    def kill_backplane(self):
        self.kills.append(("kill_backplane", time.time()))
        self.backplane.kill()
        begin = time.monotonic()
        self.backplane.start()
        self.measure("kill_backplane", begin)

    def measure(self, what, begin=None):
        """Measures the time until each module answers."""
        begin = begin or time.monotonic()
        self.kills.append((what, time.time()))
        what += WHILE_HUNG if self.hung() else ""
        for name in MODULES:
            request = ftl.CallRequest(verb=schema.VerbRef(module=name, name="leaf"), body=b'{"id": "probe"}')
            while time.monotonic() - begin < 60:
                try:
                    self.backplane.verbs.Call(request, timeout=10)
                    break
                except grpc.RpcError:
                    time.sleep(0.005)
        self.recovery.setdefault(what, []).append(time.monotonic() - begin)

    def step(self):
        calm = ["replace", "scale", "rollback", "takeover"]
        kills = ["kill_child", "kill_child", "kill_runner", "stop_runner", "kill_backplane"]
        what = self.chance.choice(calm if self.given.calm else calm + kills)
        self.done[what] += 1
        getattr(self, what)()
        now = time.monotonic()
        for due, pid in [one for one in self.stopped if one[0] <= now]:
            self.kill(pid, signal.SIGCONT)
            self.stopped.remove((due, pid))
        self.leaving = [one for one in self.leaving if one.poll() is None]

    # --- the run

    def facts(self):
        pid = self.backplane.process.pid
        status = Path(f"/proc/{pid}/status").read_text()
        return {
            "memory": int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) << 10,
            "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
            "processes": len(processes_that_name(str(self.folder))),
        }

    def start(self):
        self.build()
        self.backplane.start()
        for name in reversed(MODULES):
            self.backplane.wait_live(self.deploy(name, 0), 60)
        self.clients = [
            subprocess.Popen([sys.executable, HERE / "load.py", self.backplane.endpoint, self.folder, f"load{n}", "8"],
                             env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
            for n in range(self.given.clients)
        ]
        time.sleep(3)

    def calls(self):
        """The number of calls so far."""
        return sum(int(path.read_text() or 0) for path in self.folder.glob("load*.calls"))

    def run(self):
        self.start()
        self.before = self.facts()
        end = time.monotonic() + self.given.minutes * 60
        while time.monotonic() < end or self.calls() < self.given.calls:
            begin = time.monotonic()
            self.step()
            time.sleep(max(0.0, 1 - (time.monotonic() - begin)))
        for _, pid in self.stopped:
            self.kill(pid, signal.SIGCONT)
        self.settle()
        (self.folder / "stop").touch()
        for client in self.clients:
            client.wait(120)

    def settle(self):
        """Scales each module to one replica under load, and waits until idle Runners and old Backplanes have ended."""
        for name in MODULES:
            request = ftl.ScaleModuleRequest(module=name, replicas=1)
            self.retried(lambda: self.backplane.rpc.ScaleModule(request, timeout=10))
        end = time.monotonic() + SETTLED_MAX
        while self.facts()["processes"] != self.before["processes"] and time.monotonic() < end:
            time.sleep(0.5)
        self.after = self.facts()

    def hold(self, holds, text):
        if not holds:
            self.broken.append(text)

    def check_found(self):
        found = {name: {one.key for one in self.backplane.rpc.ListDeployments(
            ftl.ListDeploymentsRequest(module=name), timeout=10).deployments} for name in MODULES}
        lost = {key for name in MODULES for key in self.acknowledged[name] - found[name]}
        total = sum(map(len, self.acknowledged.values()))
        print(f"deployments acknowledged {total}, found again {total - len(lost)}")
        self.hold(not lost, f"deployments are lost: {sorted(lost)}")

    def check_once(self):
        ran = Counter()
        for path in self.record.iterdir():
            name = path.name.split(".")[0]
            ran.update((name, line) for line in path.read_text().splitlines() if " probe" not in line)
        twice = [one for one, count in ran.items() if count > 1]
        print(f"verbs ran {sum(ran.values())} times; for the same call twice: {len(twice)}")
        self.hold(not twice, f"ran twice: {twice[:5]}")

    def cause(self, failure):
        """The action during the failed call, or "nothing". A stopped Runner is noticed within 5 s."""
        slack = {"stop_runner": 8.0, "kill_backplane": 1.0}
        for what, at in reversed(self.kills):
            if failure["begin"] - slack.get(what, 0.5) <= at <= failure["end"] + 0.5:
                return what
        return "nothing"

    def was_under_way(self, failure):
        """Whether the call was in progress on a killed process, or its module failed too often to be waited for."""
        return any(text in failure["text"] for text in WAS_UNDER_WAY) or KEEPS_DYING.search(failure["text"])

    def check_calls(self):
        results = [json.loads(path.read_text()) for path in self.folder.glob("load*.json")]
        calls, failed = sum(one["calls"] for one in results), [f for one in results for f in one["failed"]]
        causes = Counter(self.cause(one) for one in failed)
        print(f"calls {calls}, answered {calls - len(failed)}, failed {len(failed)}: {dict(causes)}")
        kinds = Counter((one["code"], re.sub(r"dpl-\S+|\d+", "…", one["text"])[:200]) for one in failed)
        for (code, text), count in kinds.most_common(12):
            print(f"  {count:6}  {code}: {text}")
        self.hold(len(results) == len(self.clients), "a client died")
        self.hold(not (failed if self.given.calm else causes["nothing"]), f"calls failed for no cause: {causes}")
        others = [one for one in failed if not self.was_under_way(one)]
        self.hold(not others, f"{len(others)} calls failed that were not under way on what was killed: {others[:3]}")

    def check_recovery(self):
        limits = {"kill_child": CHILD_MAX, "kill_backplane": BACKPLANE_MAX}
        limits.update({what + WHILE_HUNG: limit + SILENCE_MAX for what, limit in limits.items()})
        for what, times in sorted(self.recovery.items()):
            p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
            print(f"recovery after {what}: p50 {p50:.3f} s, p99 {p99:.3f} s, max {max(times):.3f} s of {len(times)}")
            self.hold(p99 < limits.get(what, 60), f"recovery after {what} took {p99:.3f} s")

    def check_growth(self):
        print(f"at the start {self.before}, at the end {self.after}")
        self.hold(self.after["memory"] < self.before["memory"] + MEMORY_GROWTH, "memory grew")
        self.hold(self.after["files"] < self.before["files"] + FILES_GROWTH, "open files grew")
        self.hold(self.after["processes"] == self.before["processes"], "processes are left over or missing")

    def report(self):
        print(f"done: {dict(self.done)}; load of the machine {os.getloadavg()}")
        for check in (self.check_calls, self.check_once, self.check_found, self.check_recovery, self.check_growth):
            check()
        for text in self.broken:
            print(f"BROKEN: {text}")
        return 1 if self.broken else 0

    def clean_up(self, code):
        (self.folder / "stop").touch()
        for client in self.clients:
            client.kill()
            client.wait()
        for _, pid in self.stopped:
            self.kill(pid, signal.SIGCONT)
        try:
            self.backplane.stop()
        except AssertionError as error:
            print(f"BROKEN: {str(error)[:300]}")
            code = code or 1
        for pid, _ in processes_that_name(str(self.folder)):
            self.kill(pid)
        if code == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"the log is {self.backplane.log_path}")
        return code


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--calm", action="store_true")
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--clients", type=int, default=2)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    soak, code = Soak(given), 1
    try:
        soak.run()
        code = soak.report()
    finally:
        code = soak.clean_up(code)
    sys.exit(code)


main()
