"""The program in place of pods, with the variables of a rendered Deployment, and its files mounted as by the
kubelet."""

import base64
import os
import pathlib
import shutil
import ssl
import tempfile

import kubernetes_promises as promises
from service import START_LIMIT, Program

MOUNTED_AT = "/etc/sts-verify"


def content(objects, volume):
    """The files of a volume, by their names."""
    if "secret" in volume:
        source = find(objects, "Secret", volume["secret"]["secretName"])
        return {name: base64.b64decode(text) for name, text in source["data"].items()}
    source = find(objects, "ConfigMap", volume["configMap"]["name"])
    return {name: text.encode() for name, text in source["data"].items()}


def find(objects, kind, name):
    (item,) = [item for item in promises.of_kind(objects, kind) if item["metadata"]["name"] == name]
    return item


class Volumes:
    """The mounted folders: each file is a link into `..data`, which is swapped as a whole."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def bring(self, objects):
        """Updates the files from the objects."""
        for volume in promises.pod_of(objects)["spec"].get("volumes", []):
            self.swap(self.folder / volume["name"], content(objects, volume))

    @staticmethod
    def swap(folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "..data"
        if data.exists() and {path.name: path.read_bytes() for path in data.iterdir()} == files:
            return
        fresh = pathlib.Path(tempfile.mkdtemp(prefix="..", dir=folder))
        for name, text in files.items():
            (fresh / name).write_bytes(text)
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(f"..data/{name}")
        old = data.resolve() if data.exists() else None
        link = folder / "..data_tmp"
        link.symlink_to(fresh.name)
        os.replace(link, data)
        if old:
            shutil.rmtree(old)


class Pod:
    """A pod of the Deployment. It uses the sandbox instead of AWS, and listens on free ports."""

    def __init__(self, objects, folder):
        self.volumes = Volumes(folder)
        self.volumes.bring(objects)
        found = promises.environment(objects)
        settings = {name: value.replace(MOUNTED_AT, str(folder)) for name, value in found.items() if value}
        settings["STS_VERIFY_SANDBOX"] = "true"
        # The caller sends requests as fast as it can.
        settings.pop("STS_VERIFY_RATE_LIMIT", None)
        # The shutdown has its defaults, except for the time that a load balancer needs to notice it.
        settings["STS_VERIFY_STOP_DELAY"] = "3s"
        self.program = Program("serve", **settings)
        self.address = self.program.address

    def sync(self, objects):
        """Updates the files as the kubelet does some time after a change. There is no signal: the program has to notice it."""
        self.volumes.bring(objects)

    def certificate(self):
        host, port = self.address.rsplit(":", 1)
        return ssl.get_server_certificate((host, int(port)))

    def tell(self):
        """Stops it as the kubelet does. A second signal would end it at once."""
        self.program.process.terminate()

    def code(self):
        """Its exit code, once it has ended."""
        return self.program.process.wait(timeout=START_LIMIT)

    def stop(self):
        self.program.stop()
