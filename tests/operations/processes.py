"""The processes of a scenario: replicas of the service, the stand-in for STS, HAProxy. Each ends with its block."""

import csv
import io
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from service import Program, clean_environment, request

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 60  # seconds for what has to come; only to fail rather than hang


def wait_for(what, condition, limit=LIMIT):
    """Waits for a condition and returns what it gave."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit} s in vain for {what}")
        time.sleep(0.05)
    return found


class Service(Program):
    """The program under test with our STS."""

    def __init__(self, sts, **settings):
        super().__init__("serve", AWS_ENDPOINT_URL_STS=f"http://{sts}", **settings)
        self.pid = self.process.pid

    def kill(self):
        """As the kernel's out-of-memory killer does it. Returns when the process is gone."""
        self.process.kill()
        self.process.wait()

    def is_running(self):
        return self.process.poll() is None

    def memory(self, field="VmRSS"):
        """Resident memory in MiB; with VmHWM the most since `forget_peak`."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field + ":")) / 1024

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class StandIn:
    """stand_in.py in a process of its own, so that its work does not delay the load."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, HERE / "stand_in.py"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            env=clean_environment())
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError("the stand-in for STS did not start")

    def be(self, mode, delay=0.0):
        body = '{"mode": "%s", "delay": %f}' % (mode, delay)
        if request(self.address, "PUT", "/mode", body).status != 200:
            raise RuntimeError(f"the stand-in for STS cannot be {mode}")

    def counts(self):
        return dict(request(self.address, "GET", "/counts").json())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


CONFIGURATION = """
global
    nbthread 1
    stats socket "{directory}/admin" mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout http-keep-alive 75s
    timeout server 30s
    {options}
listen replicas
    bind "fd@{listener}"
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    http-after-response set-header x-replica %[srv_name]
    default-server check inter 500ms fall 2 rise 2
    {servers}
"""


class Balancer:
    """HAProxy before some replicas, whose addresses are set over its socket. Every answer names its replica in
    x-replica."""

    def __init__(self, names, *options):
        self.directory = tempfile.TemporaryDirectory(prefix="operations")
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = "127.0.0.1:%d" % listener.getsockname()[1]
        # Nothing listens on port 9. A replica gets its address when it has been started.
        configuration = CONFIGURATION.format(
            directory=self.directory.name, listener=listener.fileno(), options="\n    ".join(options),
            servers="\n    ".join(f"server {name} 127.0.0.1:9" for name in names))
        file = pathlib.Path(self.directory.name, "haproxy.cfg")
        file.write_text(configuration)
        with open(file.with_name("log"), "w") as log:
            self.process = subprocess.Popen(["haproxy", "-db", "-f", file], pass_fds=[listener.fileno()],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        listener.close()
        wait_for("HAProxy", lambda: self.has_started(file.with_name("log")))

    def has_started(self, log):
        if self.process.poll() is not None:
            raise RuntimeError(f"HAProxy did not start: {log.read_text()[-1000:]}")
        try:
            return self.ask("show info")
        except OSError:
            return None

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT)
            connection.connect(f"{self.directory.name}/admin")
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def server(self, name):
        """HAProxy's own figures for a replica."""
        rows = csv.DictReader(io.StringIO(self.ask("show stat -1 4 -1").lstrip("# ")))
        return next(row for row in rows if row["svname"] == name)

    def point(self, name, address):
        """Sets the address of a replica, and waits until the health check succeeds."""
        host, port = address.split(":")
        self.ask(f"set server replicas/{name} addr {host} port {port}")
        wait_for(f"{name} to be up", lambda: self.server(name)["status"] == "UP")

    def wait_until_down(self, name):
        wait_for(f"{name} to be down", lambda: self.server(name)["status"] == "DOWN")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()


NGINX = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/log error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {directory}/client;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream service {{ server {service}; keepalive 64; }}
    server {{
        listen {address} backlog=1024;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_next_upstream off;
            {options}
        }}
    }}
}}
"""


class Nginx:
    """nginx before one service, to which it keeps connections. It retries nothing."""

    def __init__(self, *options):
        self.options, self.process = options, None
        self.directory = tempfile.TemporaryDirectory(prefix="operations")
        # nginx cannot use an existing listener. The system gives the port to no other process meanwhile.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = "127.0.0.1:%d" % listener.getsockname()[1]

    def point(self, _, service):
        directory = pathlib.Path(self.directory.name)
        configuration = NGINX.format(directory=directory, service=service, address=self.address,
                                     options="\n            ".join(self.options))
        file = directory / "nginx.conf"
        file.write_text(configuration)
        # If root starts nginx, its workers run as another user, who has to read its temporary files here.
        directory.chmod(0o755)
        self.process = subprocess.Popen(["nginx", "-e", directory / "log", "-c", file], stdin=subprocess.DEVNULL)
        wait_for("nginx", self.has_started)

    def has_started(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"nginx did not start: {pathlib.Path(self.directory.name, 'log').read_text()[-1000:]}")
        try:
            return request(self.address, "GET", "/readyz").status == 200
        except OSError:
            return None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.directory.cleanup()
