"""Compares the function (boto3) and the service with the same settings: the called host, the proxy and the region.

Recorders stand in for proxies and STS. Calls to AWS end at a proxy, which sees the host. `--show` prints what each
side did.
"""

import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import types
from dataclasses import dataclass, field

import botocore.endpoint

from comparison import ask_function
from recorder import Recorder
from report import Suite
from service import Program, clean_environment, clean_this_process, verify

QUESTION = {"stsAccessKey": "AKIASETTINGS00EXAMPL", "stsSecretKey": "canned/Secret+NotARealSecret/EXAMPLEKEY0"}
STS = {"AWS_ENDPOINT_URL_STS": "http://{sts}"}
PROXY = {"HTTPS_PROXY": "http://{proxy}"}
HTTP = STS | {"HTTP_PROXY": "http://{proxy}"}


@dataclass(frozen=True)
class Case:
    name: str
    settings: dict
    stated: str = ""  # why the service does otherwise, when that is meant
    files: dict = field(default_factory=dict)


def cases():
    yield from urls_of_proxies()
    yield from which_proxy()
    yield from no_proxy()
    yield from endpoints()
    yield from profiles()
    yield from certificates()


def urls_of_proxies():
    for name, url in {
        "as it should be": "http://{proxy}", "with a slash": "http://{proxy}/", "without a scheme": "{proxy}",
        "with two slashes": "//{proxy}", "with user and password": "http://operator:secret@{proxy}",
        "percent-encoded": "http://operator:p%40ss%3Aw@{proxy}", "an @ in the password": "http://operator:p@ss@{proxy}",
        "a colon in the password": "http://operator:a:b@{proxy}", "a % in the password": "http://operator:50%@{proxy}",
        "a quote in the password": 'http://operator:a"b@{proxy}', "a caret in the password": "http://operator:a^b|c@{proxy}",
        "a space in the password": "http://operator:two words@{proxy}",
    }.items():
        yield Case(f"a proxy's URL: {name}", {"HTTPS_PROXY": url})
        yield Case(f"a proxy's URL for http: {name}", STS | {"HTTP_PROXY": url})
    yield Case("a proxy's URL: a line end behind it", {"HTTPS_PROXY": "http://{proxy}\n"},
               "boto3 crashes on it or asks the proxy, as its version of Python has it; we ask the proxy")
    yield Case("a proxy's URL: a # in the password", {"HTTPS_PROXY": "http://operator:a#b@{proxy}"})
    yield Case("a proxy's URL: no host", {"HTTPS_PROXY": "http://"})
    yield Case("a proxy's URL: no port", {"HTTPS_PROXY": "127.0.0.1:port"})
    yield Case("a proxy's URL: a user alone", {"HTTPS_PROXY": "http://operator@{proxy}"},
               "boto3 does not name a user without password to the proxy; curl and we do")


def which_proxy():
    yield Case("https_proxy goes before HTTPS_PROXY", {"https_proxy": "{proxy}", "HTTPS_PROXY": "{other}"})
    yield Case("http_proxy goes before HTTP_PROXY", STS | {"http_proxy": "{proxy}", "HTTP_PROXY": "{other}"})
    yield Case("an empty HTTPS_PROXY hides nothing", {"https_proxy": "{proxy}", "HTTPS_PROXY": ""})
    yield Case("HTTPS_PROXY is not for http", STS | {"HTTPS_PROXY": "{other}"})
    yield Case("HTTP_PROXY is for http", HTTP)
    yield Case("a SOCKS proxy for all beside HTTPS_PROXY", PROXY | {"ALL_PROXY": "socks5h://{other}"})
    yield Case("an empty https_proxy", PROXY | {"https_proxy": "", "AWS_ENDPOINT_URL_STS": "https://{closed}"},
               "Python takes an empty name in lower case for none at all; an empty variable is not set here, as in curl")
    yield Case("ALL_PROXY", STS | {"ALL_PROXY": "http://{proxy}"}, "boto3 does not read it; curl and the SDK do")


def no_proxy():
    for hosts in ("127.0.0.1", "{sts}", "a.example,127.0.0.1", " 127.0.0.1 , a.example", "*", "127.0.0.1:1", "a.example",
                  "1.example,", "27.0.0.1"):
        yield Case(f"NO_PROXY={hosts}", HTTP | {"NO_PROXY": hosts})
    yield Case("no_proxy goes before NO_PROXY", HTTP | {"no_proxy": "127.0.0.1", "NO_PROXY": "a.example"})
    yield Case("no_proxy goes before NO_PROXY, the other way", HTTP | {"no_proxy": "a.example", "NO_PROXY": "127.0.0.1"})
    at = PROXY | {"AWS_ENDPOINT_URL_STS": "https://sts.a.example:{port}"}
    for hosts in ("b.example", "ts.a.example", "sts.a.example:1", "x.sts.a.example"):
        yield Case(f"NO_PROXY={hosts} for a name", at | {"NO_PROXY": hosts})
    yield Case("NO_PROXY=.0.0.1", HTTP | {"NO_PROXY": ".0.0.1"},
               "boto3 compares the ends of addresses as it does those of names; what is no address is refused here")
    yield Case("NO_PROXY=127.0.0.0/8", HTTP | {"NO_PROXY": "127.0.0.0/8"}, "boto3 knows no networks; curl and we do")
    yield Case("NO_PROXY=a.example;127.0.0.1", HTTP | {"NO_PROXY": "a.example;127.0.0.1"},
               "boto3 goes through the proxy; what could never match is refused here")


def endpoints():
    for path in ("", "/", "/sts", "/sts/", "/a/b"):
        yield Case(f"an endpoint's path: {path}", {"AWS_ENDPOINT_URL_STS": "http://{sts}" + path})
    yield Case("AWS_ENDPOINT_URL_STS goes first", STS | {"AWS_ENDPOINT_URL": "http://{other}"})
    yield Case("AWS_ENDPOINT_URL", {"AWS_ENDPOINT_URL": "http://{sts}"})
    yield Case("configured endpoints are passed over", PROXY | STS | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"})
    for region in ("us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "me-west-1", "us-iso-east-1"):
        yield Case(f"AWS_DEFAULT_REGION={region}", PROXY | {"AWS_DEFAULT_REGION": region})
    yield Case("AWS_REGION", PROXY | {"AWS_REGION": "eu-west-2"}, "boto3 does not read it; the SDKs do, before the other")
    for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
        yield Case(f"{name}=true", PROXY | {name: "true"})
        yield Case(f"{name}=true and an endpoint", STS | {name: "true"},
                   "boto3 forgets it when an endpoint is named; the SDKs and we refuse the two together")
    for region in ("us-east-1", "eu-west-3", "eu-south-1", "cn-north-1"):
        for mode in ("legacy", "regional"):
            yield Case(f"AWS_STS_REGIONAL_ENDPOINTS={mode} in {region}", PROXY | {
                "AWS_STS_REGIONAL_ENDPOINTS": mode, "AWS_DEFAULT_REGION": region})


def profiles():
    """Without AWS_DEFAULT_REGION, so that the region is the profile's."""
    at = PROXY | {"AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "{folder}/config"}
    url = "endpoint_url = http://{sts}/profile\n"
    services = "services = here\n[services here]\nsts =\n  endpoint_url = http://{sts}/service\n"
    for name, text, more in (
        ("region", "[default]\nregion = eu-west-1\n", {}),
        ("a variable goes before it", "[default]\nregion = eu-west-1\n", {"AWS_DEFAULT_REGION": "eu-west-2"}),
        ("endpoint_url", f"[default]\nregion = eu-west-1\n{url}", {}),
        ("a services section", f"[default]\nregion = eu-west-1\n{url}{services}", {}),
        ("a variable for all goes before a services section", f"[default]\nregion = eu-west-1\n{services}",
         {"AWS_ENDPOINT_URL": "http://{other}/variable"}),
        ("ignore_configured_endpoint_urls", f"[default]\nregion = eu-west-1\n{url}ignore_configured_endpoint_urls = true\n", {}),
        ("use_fips_endpoint", "[default]\nregion = us-east-2\nuse_fips_endpoint = true\n", {}),
        ("use_dualstack_endpoint", "[default]\nregion = us-east-2\nuse_dualstack_endpoint = true\n", {}),
        ("sts_regional_endpoints", "[default]\nregion = us-east-2\nsts_regional_endpoints = legacy\n", {}),
        ("AWS_PROFILE", f"[default]\nregion = eu-west-1\n[profile one]\nregion = eu-west-3\n{url}", {"AWS_PROFILE": "one"}),
        ("AWS_DEFAULT_PROFILE", f"[default]\nregion = eu-west-1\n[profile one]\nregion = eu-west-3\n{url}",
         {"AWS_DEFAULT_PROFILE": "one"}),
        ("a profile that is not there", "[default]\nregion = eu-west-1\n", {"AWS_PROFILE": "one"}),
    ):
        yield Case(f"profile: {name}", at | more, files={"config": text})


def certificates():
    at = {"AWS_ENDPOINT_URL_STS": "https://{tls}"}
    for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        yield Case(f"{variable}: the endpoint's own certificate", at | {variable: "{folder}/own.pem"})
        yield Case(f"{variable}: another certificate", at | {variable: "{folder}/another.pem"})
        yield Case(f"{variable}: both", at | {variable: "{folder}/both.pem"})
    yield Case("AWS_CA_BUNDLE goes before REQUESTS_CA_BUNDLE", at | {
        "AWS_CA_BUNDLE": "{folder}/own.pem", "REQUESTS_CA_BUNDLE": "{folder}/another.pem"})
    yield Case("ca_bundle of the profile", at | {"AWS_CONFIG_FILE": "{folder}/config"},
               files={"config": "[default]\nca_bundle = {folder}/own.pem\n"})
    yield Case("ca_bundle of the profile goes before REQUESTS_CA_BUNDLE", at | {
        "AWS_CONFIG_FILE": "{folder}/config", "REQUESTS_CA_BUNDLE": "{folder}/another.pem"},
        files={"config": "[default]\nca_bundle = {folder}/own.pem\n"})


class Scene:
    """The recorders and a folder, by the names that settings and files use."""

    def __init__(self, folder):
        self.folder = folder
        certificates = [certificate(folder, name) for name in ("own", "another")]
        (folder / "both.pem").write_text("".join(pem.read_text() for pem in certificates))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "own.pem", folder / "own.key")
        self.recorders = {"sts": Recorder(), "proxy": Recorder(), "other": Recorder(), "tls": Recorder(context)}
        self.names = {name: recorder.address for name, recorder in self.recorders.items()}
        self.names |= {"folder": folder, "port": self.recorders["tls"].port, "closed": "127.0.0.1:1"}

    def fill(self, values):
        return {name: value.format(**self.names) for name, value in values.items()}

    def prepare(self, case):
        for name, text in self.fill(case.files).items():
            (self.folder / name).write_text(text)
        # One attempt, because a second one would send the same request.
        return {"AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"} | self.fill(case.settings)

    def take(self):
        return {name: seen for name, recorder in self.recorders.items() if (seen := recorder.take())}


def certificate(folder, name):
    """A certificate that is marked as a CA's, as `openssl req -x509` makes it by default."""
    pem = folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    folder / f"{name}.key", "-out", pem, "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return pem


def by_boto3(scene, settings):
    """The host that the function calls, and the outcome."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment(**{name: value for name, value in settings.items()
                                           if value or name.lower().endswith("_proxy")}))
    answer = ask_function(QUESTION)
    os.environ.clear()
    os.environ.update(kept)
    return scene.take(), answer


def by_service(scene, settings):
    """The same for the service. A service that does not start calls no host."""
    try:
        with Program("serve", **settings) as program:
            answer = verify(program.address, QUESTION).body
    except RuntimeError as refusal:
        answer = refusal
    return scene.take(), answer


def compare(suite, scene, case):
    settings = scene.prepare(case)
    (boto3, said), (ours, answer) = by_boto3(scene, settings), by_service(scene, settings)
    sides = [f"boto3: {boto3} {said!r}", f"ours: {ours} {answer!r}"]
    if "--show" in sys.argv:
        print(case.name, *(f"    {side:.300}" for side in sides), sep="\n")
    if boto3 != ours and case.stated:
        suite.state(case.name, case.stated)
    else:
        suite.result(case.name, sides if boto3 != ours else [])


def main():
    clean_this_process()
    clock = botocore.endpoint.time
    botocore.endpoint.time = types.SimpleNamespace(time=clock.time, sleep=lambda _: None)
    suite, folder = Suite("settings"), pathlib.Path(tempfile.mkdtemp())
    try:
        scene = Scene(folder)
        for case in cases():
            compare(suite, scene, case)
    finally:
        shutil.rmtree(folder)
    suite.close("all agree")


if __name__ == "__main__":
    main()
