"""The documented properties of the chart in deploy/helm, in addition to those of deploy/kubernetes."""

import base64
import json

import chart
import kubernetes_promises as promises
import network_policy
import program
import schemas
import yaml
from check_kubernetes import kustomizations

# The identity headers, which are on every answer of a gate.
HEADERS = {
    "x-sts-account",
    "x-sts-arn",
    "x-sts-org-id",
    "x-sts-org-path",
    "x-sts-partition",
    "x-sts-principal",
    "x-sts-principal-type",
    "x-sts-session-name",
    "x-sts-user-id",
}

# Values that have to be refused, and what the refusal has to name.
REFUSED = [
    ({"apiKey": {}}, "apiKey"),
    ({"image": {"digest": "sha256:1"}}, "/image/digest"),
    ({"settings": {"sts_verify_docs": "false"}}, "sts_verify_docs"),
    ({"settings": {"PATH": "/"}}, "PATH"),
    ({"settings": {"STS_VERIFY_LISTEN": "0.0.0.0:80"}}, "/settings/STS_VERIFY_LISTEN"),
    ({"settings": {"STS_VERIFY_METRICS_LISTEN": "0.0.0.0:80"}}, "/settings/STS_VERIFY_METRICS_LISTEN"),
    ({"settings": {"STS_VERIFY_REDIS_URL": "redis://:a-password@redis"}}, "STS_VERIFY_REDIS_URL"),
    ({"settings": {"HTTPS_PROXY": "http://user:a-password@proxy"}}, "/settings/HTTPS_PROXY"),
    ({"settings": {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=a-password"}}, "OTEL_EXPORTER_OTLP_HEADERS"),
    ({"settings": {"STS_VERIFY_API_KEYS_FILE": "/etc/keys"}}, "STS_VERIFY_API_KEYS_FILE"),
    ({"settings": {"AWS_REGION": ["us-east-1"]}}, "/settings/AWS_REGION"),
    ({"settings": {"STS_VERIFY_MAX_IN_FLIGHT": 1.5}}, "/settings/STS_VERIFY_MAX_IN_FLIGHT"),
    ({"settingsFromSecrets": {"STS_VERIFY_REDIS_URL": {"name": "redis"}}}, "/settingsFromSecrets/STS_VERIFY_REDIS_URL"),
    ({"settingsFromSecrets": {"STS_VERIFY_REDIS_URL": "redis://:a-password@redis"}}, "/settingsFromSecrets"),
    ({"apiKeys": {"digests": ["stsv_" + "0" * 64]}}, "/apiKeys/digests/0"),
    ({"apiKeys": {"digests": ["a password"]}}, "/apiKeys/digests/0"),
    ({"apiKeys": {"existingSecret": "keys", "digests": ["0" * 64]}}, "/apiKeys/digests"),
    ({"policies": {"existingConfigMap": "policies", "toml": "[policy.a]"}}, "/policies/toml"),
    ({"podSecurityContext": {"runAsUser": 0}}, "/podSecurityContext/runAsUser"),
    ({"podSecurityContext": {"runAsNonRoot": False}}, "runAsNonRoot"),
    ({"securityContext": {"privileged": True}}, "securityContext"),
    (
        {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/a"}}},
        "annotations",
    ),
    ({"service": {"type": "ExternalName"}}, "/service/type"),
    ({"topologySpread": {"whenUnsatisfiable": "Never"}}, "/topologySpread/whenUnsatisfiable"),
]

# The namespace that deploy/kubernetes/components/redis lets the pods out to.
REDIS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "redis"}}}


def check_release(claims, name, objects):
    promises.check_inside(claims, name, objects, chart.NAMESPACE)
    labels = [item["metadata"]["labels"] for item in objects]
    claims.equal(
        f"{name}: every object says which release it is of",
        {one["app.kubernetes.io/instance"] for one in labels},
        {chart.RELEASE},
    )
    claims.equal(
        f"{name}: and which version", {one["app.kubernetes.io/version"] for one in labels}, {program.version()}
    )


def check_gates(claims, name, objects):
    settings = promises.environment(objects)
    accepted = settings["STS_VERIFY_ACCEPT"].split(",")
    claims.true(f"{name}: no secret is accepted", "credentials" not in accepted and accepted)
    claims.true(f"{name}: proofs are made for this service", settings["STS_VERIFY_AUDIENCE"])
    claims.true(f"{name}: there is a policies file", settings["STS_VERIFY_POLICIES_FILE"])
    (redis,) = [entry for entry in promises.container_of(objects)["env"] if entry["name"] == "STS_VERIFY_REDIS_URL"]
    claims.equal(f"{name}: Redis's URL comes from a Secret", list(redis["valueFrom"]), ["secretKeyRef"])
    policy = promises.only(objects, "NetworkPolicy")
    callers = network_policy.namespaces_to(policy, "http")
    claims.equal(f"{name}: only the proxies may call it", callers, ["ingress-nginx", "envoy-gateway-system"])
    ports = {port for rule in policy["spec"]["egress"] for port in network_policy.ports(rule)}
    claims.equal(f"{name}: Redis can be reached, in addition to DNS and HTTPS", ports, {53, 443, 6379})


def check_keys(claims, name, objects):
    secret = promises.only(objects, "Secret")
    lines = base64.b64decode(secret["data"]["digests"]).decode().splitlines()
    claims.equal(f"{name}: the Secret has a line for each", len(lines), 2)
    claims.true(f"{name}: and each is a digest with its name", lines[0].endswith(" team-a") and len(lines[1]) == 71)
    path = promises.environment(objects)["STS_VERIFY_API_KEYS_FILE"]
    claims.equal(f"{name}: the program reads that file", path.rsplit("/", 1)[1], "digests")


def check_number(claims, name, objects):
    found = promises.environment(objects)["STS_VERIFY_MAX_BODY_BYTES"]
    claims.equal(f"{name}: numbers are rendered as digits", found, "10000000")


def check_refusals(claims, name, _):
    for values, place in REFUSED:
        said = chart.refusal(values)
        claims.true(f"{name}: refuses {json.dumps(values)[:60]}, and names the place", said and place in said, f"({said})")
        repeated = [secret for secret in ("a-password", "stsv_") if said and secret in said]
        claims.none(f"{name}: and repeats no secret", repeated)


def check_names(claims, name, _):
    named = program.named_in("deploy/helm") - program.CREDENTIALS
    claims.none(f"{name}: every variable it names is one that the program knows", program.unknown(named))
    schema = json.loads(program.read("deploy/helm/sts-verify/values.schema.json"))["properties"]
    forbidden = set(schema["settings"]["propertyNames"]["not"]["enum"])
    claims.none(f"{name}: credentials cannot be set", sorted(program.CREDENTIALS - forbidden))
    secret = set(schema["settingsFromSecrets"]["propertyNames"]["not"]["enum"])
    claims.none(f"{name}: nor from Secrets", sorted(program.CREDENTIALS - secret))
    declared = {"": set(schema) - {"global"}}
    declared |= {one: set(about["properties"]) for one, about in schema.items() if "properties" in about}
    values = yaml.safe_load(program.read("deploy/helm/sts-verify/values.yaml"))
    found = {"": set(values)} | {one: set(value) for one, value in values.items() if one in declared}
    del declared["settings"], found["settings"]
    claims.equal(f"{name}: values.yaml and its schema have the same values", found, declared)


def check_versions(claims, name, _):
    about = yaml.safe_load(program.read("deploy/helm/sts-verify/Chart.yaml"))
    claims.equal(
        f"{name}: version and appVersion are the crate's",
        (about["version"], about["appVersion"]),
        (program.version(),) * 2,
    )
    repository = program.repository()
    claims.equal(f"{name}: the chart names its source", (about["home"], about["sources"]), (repository, [repository]))
    values = yaml.safe_load(program.read("deploy/helm/sts-verify/values.yaml"))
    image = repository.replace("https://github.com/", "ghcr.io/")
    claims.equal(f"{name}: the image is the release's", values["image"]["repository"], image)
    container = promises.container_of(chart.objects({}))
    claims.equal(f"{name}: of the same version", container["image"], f"{image}:{program.version()}")
    digest = "sha256:" + "0" * 64
    container = promises.container_of(chart.objects({"image": {"tag": "1", "digest": digest}}))
    claims.equal(f"{name}: a digest overrides a tag", container["image"], f"{image}@{digest}")


def check_restarts(claims, name, _):
    """The changes that replace pods: settings do; files that the program reloads do not."""

    def template(**values):
        return promises.pod_of(chart.objects(values))

    keys = [{"apiKeys": {"digests": [digit * 64]}} for digit in "01"]
    policies = [{"policies": {"toml": f'[policy.a]\naccounts = ["{digit * 12}"]\n'}} for digit in "01"]
    for what, (first, second) in {"an API key": keys, "a policy": policies}.items():
        claims.true(f"{name}: {what} that changes is another object", chart.objects(first) != chart.objects(second))
        claims.true(f"{name}: {what} that changes restarts no pod", template(**first) == template(**second))
    for what, values in {
        "a setting": {"settings": {"STS_VERIFY_RATE_LIMIT": "1/s"}},
        "the sandbox": {"sandbox": True},
        "the image": {"image": {"tag": "1"}},
        "TLS": {"tls": {"enabled": True}},
    }.items():
        claims.true(f"{name}: {what} that changes does", template() != template(**values))


def check_platform(claims, name, _):
    """Where the platform gives each namespace its own user."""
    found = promises.pod_of(
        chart.objects({"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}})
    )
    wanted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    claims.equal(f"{name}: user and groups may be the platform's", found["spec"]["securityContext"], wanted)


def check_switches(claims, name, folder):
    """Disabled objects are absent, and the others are valid."""
    switches = {
        "autoscaling": "HorizontalPodAutoscaler",
        "networkPolicy": "NetworkPolicy",
        "podDisruptionBudget": "PodDisruptionBudget",
    }
    values = {one: {"enabled": False} for one in switches} | {
        "serviceAccount": {"create": False, "name": "own"},
        "topologySpread": {"enabled": False},
    }
    objects = chart.objects(values)
    schemas.validate(claims, f"{name} with everything switched off", objects, folder)
    kinds = sorted(item["kind"] for item in objects)
    claims.equal(f"{name}: disabled objects are absent", kinds, ["ConfigMap", "Deployment", "Service"])
    pod = promises.pod_of(objects)["spec"]
    claims.equal(f"{name}: the account may be one of one's own", pod["serviceAccountName"], "own")
    claims.true(f"{name}: and pods may be spread by somebody else", "topologySpreadConstraints" not in pod)


def check_lengths(claims, name, _):
    """A release may have 53 characters, an object's name and a label's value 63."""
    values = {"apiKeys": {"digests": ["0" * 64]}, "policies": {"toml": "#"}, "serviceMonitor": {"enabled": True}}
    objects = chart.objects(values, name="r" * 53)
    words = [item["metadata"]["name"] for item in objects]
    words += [value for item in objects for value in item["metadata"]["labels"].values()]
    claims.none(f"{name}: the names of a long release are short enough", [word for word in words if len(word) > 63])
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    claims.equal(f"{name}: and each object has its own", len(set(names)), len(names))


def check_notes(claims, name, _):
    notes = chart.texts({}, name="first", namespace="verify")["NOTES.txt"]
    secret = "kubectl -n verify create secret generic first-sts-verify-api-keys --from-file=digests=api-keys.txt"
    claims.true(f"{name}: the notes say how the API keys get in", secret in notes)
    found = promises.pod_of(chart.objects({}, name="first", namespace="verify"))["spec"]["volumes"][0]["secret"][
        "secretName"
    ]
    claims.equal(f"{name}: which is the Secret that the pods wait for", found, "first-sts-verify-api-keys")
    claims.true(
        f"{name}: with digests in the values there is nothing to do",
        "create secret" not in chart.texts({"apiKeys": {"digests": ["0" * 64]}})["NOTES.txt"],
    )
    claims.true(
        f"{name}: without keys they say so",
        "Everyone who can reach the pods may use the service" in chart.texts({"apiKeys": {"enabled": False}})["NOTES.txt"],
    )


def plain(item):
    """An object without the parts that only name the release, to compare it with that of deploy/kubernetes."""
    text = json.dumps({key: value for key, value in item.items() if key != "metadata"}, sort_keys=True)
    found = json.loads(text.replace('"app.kubernetes.io/instance": "sts-verify", ', ""))
    if item["kind"] == "Deployment":
        found["spec"]["template"]["metadata"].pop("annotations", None)
        pod = found["spec"]["template"]["spec"]
        container = pod["containers"][0]
        for mounts in (pod["volumes"], container["volumeMounts"]):
            mounts.sort(key=lambda one: one["name"])
        # Kustomize has one setting here that the chart has in its ConfigMap; check_same compares these.
        container["env"] = sorted((one for one in container["env"] if one["name"] != "TOKIO_WORKER_THREADS"), key=str)
        container["envFrom"] = len(container["envFrom"])
        container.pop("imagePullPolicy", None)
    found.get("spec", {}).pop("type", None)
    return found


def check_same(claims, name, folder):
    """The chart creates the same objects as the production overlay with every component."""
    done = schemas.run("kubectl", "kustomize", str(kustomizations(folder / "kustomize")["production with everything"]))
    claims.none(f"{name}: kubectl renders deploy/kubernetes with everything", done.stderr.strip())
    theirs = {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(done.stdout)}
    digest = promises.container_of(list(theirs.values()))["image"].rsplit("@", 1)[1]
    values = {
        "image": {"repository": "registry.example/sts-verify", "digest": digest},
        "tls": {"enabled": True},
        "policies": {"existingConfigMap": "sts-verify-policies"},
        "serviceMonitor": {"enabled": True},
        "settingsFromSecrets": {"STS_VERIFY_REDIS_URL": {"name": "sts-verify-redis", "key": "url"}},
        "networkPolicy": {"extraEgress": [{"to": [REDIS], "ports": [{"port": 6379}]}]},
    }
    ours = {(item["kind"], item["metadata"]["name"]): item for item in chart.objects(values)}
    left = {kind for kind, _ in theirs.keys() - ours.keys()}
    # The namespace is Helm's to make, and the name of Kustomize's ConfigMap has a hash.
    claims.equal(f"{name}: it has every object of deploy/kubernetes", left, {"Namespace", "ConfigMap"})
    for key in sorted(theirs.keys() & ours.keys()):
        claims.equal(
            f"{name}: its {' '.join(key)} is the one of deploy/kubernetes", plain(ours[key]), plain(theirs[key])
        )
    settings = [promises.environment(list(one.values())) for one in (ours, theirs)]
    claims.equal(f"{name}: its settings are those of deploy/kubernetes", *settings)


def check_proxies(claims, name, folder):
    """The examples of proxies that ask a gate."""
    files = {
        path.stem: list(yaml.safe_load_all(path.read_text())) for path in sorted((chart.EXAMPLES / "gates").iterdir())
    }
    claims.equal(f"{name}: there are examples of proxies", set(files), {"envoy-gateway", "ingress-nginx"})
    service = promises.only(chart.objects(chart.values_of("gates")), "Service")["metadata"]["name"]
    policies = chart.values_of("gates")["policies"]["toml"]
    nginx = files["ingress-nginx"]
    schemas.validate(claims, "ingress-nginx", nginx, folder)
    notes = promises.only(nginx, "Ingress")["metadata"]["annotations"]
    url = notes["nginx.ingress.kubernetes.io/auth-url"]
    claims.equal(f"{name}: nginx calls the Service", url.split("/")[2], f"{service}.{chart.NAMESPACE}.svc.cluster.local")
    claims.true(f"{name}: nginx names an existing policy", f"[policy.{url.rsplit('/', 1)[1]}]" in policies)
    headers = notes["nginx.ingress.kubernetes.io/auth-response-headers"].split(",")
    claims.equal(f"{name}: nginx passes on all headers", (set(headers), len(headers)), (HEADERS, len(HEADERS)))
    removed = promises.only(nginx, "ConfigMap")["data"]
    claims.equal(f"{name}: nginx keeps the proof from the upstream", removed, {"x-sts-verify-proof": ""})
    envoy = files["envoy-gateway"]
    asked = promises.only(envoy, "SecurityPolicy")["spec"]["extAuth"]
    (backend,) = asked["http"]["backendRefs"]
    claims.equal(f"{name}: Envoy calls the Service", (backend["name"], backend["namespace"]), (service, chart.NAMESPACE))
    claims.true(
        f"{name}: Envoy names a policy that there is", f"[policy.{asked['http']['path'].rsplit('/', 1)[1]}]" in policies
    )
    claims.equal(f"{name}: Envoy passes on all headers", set(asked["http"]["headersToBackend"]), HEADERS)
    claims.equal(f"{name}: no request passes Envoy without the gate", asked["failOpen"], False)
    (rule,) = promises.only(envoy, "HTTPRoute")["spec"]["rules"]
    removed = rule["filters"][0]["requestHeaderModifier"]["remove"]
    claims.equal(f"{name}: Envoy keeps every proof from the upstream", set(removed), set(asked["headersToExtAuth"]))


OF_THE_CHART = [
    check_versions,
    check_names,
    check_refusals,
    check_restarts,
    check_platform,
    check_switches,
    check_lengths,
    check_notes,
    check_same,
    check_proxies,
]
