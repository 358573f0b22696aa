"""Starts the proxies with the files of deploy/gates; only addresses, ports and paths are replaced."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

from service import ROOT, START_LIMIT, clean_environment

FILES = ROOT / "deploy/gates"
GATE, UPSTREAM, PUBLIC = "sts-verify:8080", "upstream:9000", "8000"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def once(text, old, new):
    """Replaces every `old` with `new`; `old` has to exist."""
    assert old in text, f"{old!r} is not in the file"
    return text.replace(old, new)


class Proxy:
    """One running proxy, with its status for no verdict, and for an unreachable gate."""

    unknown = gone = 503

    def __init__(self, folder, gate, upstream):
        self.folder, self.gate, self.upstream = folder / self.name, gate, upstream
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=subprocess.STDOUT, cwd=self.folder,
                                        env=clean_environment(HOME=self.folder, XDG_DATA_HOME=self.folder))
        self.wait()

    def wait(self):
        limit = time.monotonic() + START_LIMIT
        while time.monotonic() < limit and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.name} did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def written(self, name, change):
        """A file of deploy/gates as it is used here."""
        path = self.folder / name
        path.write_text(change((FILES / name).read_text()))
        return path

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Nginx(Proxy):
    name = "nginx"
    unknown = gone = 500  # it knows no other answer of a gate than 2xx, 401 and 403

    def command(self):
        def change(text):
            text = once(once(text, GATE, self.gate), UPSTREAM, self.upstream)
            return once(text, f"listen {PUBLIC};", f"listen {self.address};")

        path = self.written("nginx.conf", change)
        # The folders that Debian compiled in belong to root.
        own = "".join(f"{name}_temp_path {self.folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = path.read_text().replace("http {", f"http {{ access_log off; {own}", 1)
        path.write_text(text)
        main = f"daemon off; pid {self.folder}/nginx.pid; error_log stderr;"
        return [os.environ["NGINX"], "-p", self.folder, "-c", path, "-g", main]


class Caddy(Proxy):
    name = "Caddy"
    gone = 502

    def command(self):
        def change(text):
            text = once(once(text, GATE, self.gate), UPSTREAM, self.upstream)
            return once(text, f"http://:{PUBLIC} {{", f"http://:{self.port} {{\n\tbind 127.0.0.1")

        return [os.environ["CADDY"], "run", "--adapter", "caddyfile", "--config", self.written("Caddyfile", change)]


class Envoy(Proxy):
    name = "Envoy"

    def command(self):
        def change(text):
            for host, port, address in (*(name.split(":") + [given] for name, given in (
                    (GATE, self.gate), (UPSTREAM, self.upstream))), ("0.0.0.0", PUBLIC, self.address)):
                given_host, given_port = address.split(":")
                text = once(text, f"{{address: {host}, port_value: {port}}}",
                            f"{{address: {given_host}, port_value: {given_port}}}")
            return once(text, f"http://{GATE}", f"http://{self.gate}")

        path = self.written("envoy.yaml", change)
        # Nothing is shared with another Envoy on this machine.
        return [os.environ["ENVOY"], "-c", path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]


class Haproxy(Proxy):
    name = "HAProxy"

    def command(self):
        script = self.written("haproxy.lua", lambda text: text)

        def change(text):
            text = once(once(text, GATE, self.gate), UPSTREAM, self.upstream)
            text = once(text, "/etc/haproxy/haproxy.lua", str(script))
            return once(text, f"bind :{PUBLIC}", f"bind {self.address}")

        return [os.environ["HAPROXY"], "-db", "-f", self.written("haproxy.cfg", change)]


ALL = (Nginx, Caddy, Envoy, Haproxy)


def version(name):
    """The version of a proxy, for the report."""
    program = os.environ[name.upper()]
    argument = {"nginx": "-v", "Caddy": "version", "Envoy": "--version", "HAProxy": "-v"}[name]
    done = subprocess.run([program, argument], capture_output=True, text=True)
    return re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)[0]


def folder():
    return pathlib.Path(ROOT / "target/conformance/gates")
