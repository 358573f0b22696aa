"""The documented properties of the objects from deploy/kubernetes and deploy/helm, beyond the schemas."""

import json
import re

import network_policy
import pod_security
import program

ENFORCE = "pod-security.kubernetes.io/enforce"
SPARE = 3

# The variables that name a file without secrets. The files of all other variables with these endings are secret.
NO_SECRETS = {"AWS_CA_BUNDLE", "STS_VERIFY_POLICIES_FILE"}


def of_kind(objects, kind):
    return [item for item in objects if item["kind"] == kind]


def only(objects, kind):
    (item,) = of_kind(objects, kind)
    return item


def pod_of(objects):
    return only(objects, "Deployment")["spec"]["template"]


def container_of(objects):
    (container,) = pod_of(objects)["spec"]["containers"]
    return container


def environment(objects):
    """The container's variables, those of its ConfigMaps included."""
    container = container_of(objects)
    maps = {item["metadata"]["name"]: item["data"] for item in of_kind(objects, "ConfigMap")}
    found = {}
    for source in container.get("envFrom", []):
        found.update(maps[source["configMapRef"]["name"]])
    found.update({entry["name"]: entry.get("value") for entry in container.get("env", [])})
    return found


def selects(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


def check(claims, name, objects, *more):
    """Runs the checks that apply to every rendered deployment, and those in `more`."""
    parts = (
        check_account,
        check_pod,
        check_probes,
        check_stopping,
        check_spread,
        check_services,
        check_policy,
        check_files,
    )
    claims.each((*more, *parts), name, objects)


def check_namespace(claims, name, objects):
    namespace = only(objects, "Namespace")["metadata"]
    claims.equal(
        f"{name}: the namespace enforces the restricted profile", namespace["labels"].get(ENFORCE), "restricted"
    )
    check_inside(claims, name, [item for item in objects if item["kind"] != "Namespace"], namespace["name"])


def check_inside(claims, name, objects, namespace):
    elsewhere = [item["kind"] for item in objects if item["metadata"].get("namespace") != namespace]
    claims.none(f"{name}: everything is in the namespace {namespace}", elsewhere)


def check_account(claims, name, objects):
    account, pod = only(objects, "ServiceAccount"), pod_of(objects)["spec"]
    claims.equal(
        f"{name}: the pod has an account of its own", pod.get("serviceAccountName"), account["metadata"]["name"]
    )
    tokens = (account.get("automountServiceAccountToken"), pod.get("automountServiceAccountToken"))
    claims.equal(f"{name}: neither account nor pod mounts a token", tokens, (False, False))
    claims.none(f"{name}: the account has no IAM role", list(account["metadata"].get("annotations", {})))
    roles = [item["kind"] for item in objects if "Role" in item["kind"]]
    claims.none(f"{name}: the account has no rights in the cluster", roles)
    claims.none(f"{name}: no credentials are given", sorted(program.CREDENTIALS & environment(objects).keys()))
    projected = [volume["name"] for volume in pod.get("volumes", []) if "serviceAccountToken" in json.dumps(volume)]
    claims.none(f"{name}: no token is mounted by hand", projected)


def check_pod(claims, name, objects):
    pod, container = pod_of(objects)["spec"], container_of(objects)
    user, group = map(int, program.image()["user"].split(":"))
    claims.none(f"{name}: the pod is within the restricted profile", pod_security.violations(pod))
    context = pod["securityContext"]
    claims.equal(
        f"{name}: user and group are the image's", (context.get("runAsUser"), context.get("runAsGroup")), (user, group)
    )
    read_only = container.get("securityContext", {}).get("readOnlyRootFilesystem")
    claims.equal(f"{name}: the root file system is read-only", read_only, True)
    claims.equal(f"{name}: Services create no variables", pod.get("enableServiceLinks"), False)
    resources = container["resources"]
    claims.equal(f"{name}: CPU and memory are requested", sorted(resources["requests"]), ["cpu", "memory"])
    claims.equal(f"{name}: memory is limited, CPU is not", list(resources["limits"]), ["memory"])
    limit, needed = program.mebibytes(resources["limits"]["memory"]), program.memory_needed(environment(objects))
    claims.true(f"{name}: the memory limit is enough for what the limits allow", limit >= needed, f"({limit}, needed {needed:.0f} MiB)")
    claims.true(f"{name}: the image's placeholder is replaced", container["image"] != "sts-verify")
    strange = program.unknown(environment(objects))
    claims.none(f"{name}: the program knows every variable it gets", strange)


def check_probes(claims, name, objects):
    container, image = container_of(objects), program.image()
    routes = json.loads(program.read("openapi/openapi.json"))["paths"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    wanted = {"http": image["http"], "metrics": image["metrics"]}
    claims.equal(f"{name}: the ports are those that the image listens on", ports, wanted)
    probes = (("startupProbe", "/livez", "http"), ("readinessProbe", "/readyz", "http"), ("livenessProbe", "/livez", "metrics"))
    for probe, path, port in probes:
        get = container.get(probe, {}).get("httpGet", {})
        found = (get.get("path"), ports.get(get.get("port")))
        claims.equal(f"{name}: the {probe} asks {path} of the port for {port}", found, (path, image[port]))
        claims.true(f"{name}: {path} is a route of the program", path in routes)
    liveness = container.get("livenessProbe", {})
    patience = liveness.get("periodSeconds", 10) * liveness.get("failureThreshold", 3)
    claims.true(f"{name}: a slow node does not cause a restart", patience >= 60, f"({patience} s)")


def check_stopping(claims, name, objects):
    deployment, pod = only(objects, "Deployment")["spec"], pod_of(objects)["spec"]
    needed = program.stopping(environment(objects)) + SPARE
    grace = pod.get("terminationGracePeriodSeconds", 0)
    claims.true(
        f"{name}: the grace period is longer than a stop takes", grace >= needed, f"({grace} s, needed {needed} s)"
    )
    rolling = deployment["strategy"].get("rollingUpdate", {})
    claims.equal(f"{name}: a rollout does not remove a pod first", rolling.get("maxUnavailable"), 0)
    claims.true(f"{name}: a rollout starts new pods first", rolling.get("maxSurge") not in (None, 0, "0%"))
    claims.true(f"{name}: a new pod has to stay up for a while", deployment.get("minReadySeconds", 0) >= 5)
    budget = only(objects, "PodDisruptionBudget")["spec"]
    claims.equal(f"{name}: drains take one pod at a time", budget.get("maxUnavailable"), 1)
    labels = pod_of(objects)["metadata"]["labels"]
    claims.true(f"{name}: the budget is for these pods", selects(budget["selector"]["matchLabels"], labels))
    claims.true(f"{name}: the Deployment is of these pods", selects(deployment["selector"]["matchLabels"], labels))


def check_spread(claims, name, objects):
    labels = pod_of(objects)["metadata"]["labels"]
    spread = {
        rule["topologyKey"]: rule
        for rule in pod_of(objects)["spec"].get("topologySpreadConstraints", [])
        if selects(rule["labelSelector"]["matchLabels"], labels)
    }
    for topology in ("topology.kubernetes.io/zone", "kubernetes.io/hostname"):
        rule = spread.get(topology, {})
        claims.equal(f"{name}: pods are spread by {topology}", rule.get("maxSkew"), 1)
        claims.equal(f"{name}: and start even if they cannot be spread", rule.get("whenUnsatisfiable"), "ScheduleAnyway")


def check_services(claims, name, objects):
    labels = pod_of(objects)["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in container_of(objects)["ports"]}
    image = program.image()
    for service in of_kind(objects, "Service"):
        spec, title = service["spec"], f"{name}: Service {service['metadata']['name']}"
        claims.true(f"{title}: it is for these pods", selects(spec["selector"], labels))
        inside = service["metadata"]["name"].endswith("-metrics")
        wanted = [image["metrics"] if inside else image["http"]]
        claims.equal(
            f"{title}: it leads to one port", [ports.get(port["targetPort"]) for port in spec["ports"]], wanted
        )
        if inside:
            claims.equal(f"{title}: it cannot be published", spec.get("clusterIP"), "None")


def check_policy(claims, name, objects):
    policy = only(objects, "NetworkPolicy")
    spec = policy["spec"]
    claims.true(
        f"{name}: the NetworkPolicy is for these pods",
        selects(spec["podSelector"]["matchLabels"], pod_of(objects)["metadata"]["labels"]),
    )
    claims.equal(f"{name}: it is for both ways", sorted(spec["policyTypes"]), ["Egress", "Ingress"])
    for address in network_policy.CREDENTIALS:
        claims.none(
            f"{name}: {address} hands out credentials, and cannot be reached",
            [str(port) for port in network_policy.ports_to(policy, address)],
        )
    sandboxed = environment(objects).get("STS_VERIFY_SANDBOX") == "true"
    for address in network_policy.OUTSIDE:
        claims.equal(
            f"{name}: {address} can be reached by HTTPS, from the sandbox not at all",
            network_policy.ports_to(policy, address),
            [] if sandboxed else [443],
        )
    claims.equal(
        f"{name}: so can the cluster's DNS",
        network_policy.names(policy),
        set() if sandboxed else {"kube-system", "169.254.20.10/32"},
    )
    claims.equal(
        f"{name}: the metrics are for monitoring alone", network_policy.namespaces_to(policy, "metrics"), ["monitoring"]
    )


def check_open(claims, name, objects):
    found = network_policy.namespaces_to(only(objects, "NetworkPolicy"), "http")
    claims.equal(f"{name}: requests come from anywhere", found, [None])


def files_of(objects):
    """The variables that name a file, with its path."""
    found = environment(objects).items()
    return {name: path for name, path in found if name.endswith("_FILE") or name in NO_SECRETS}


def check_files(claims, name, objects):
    """Every file that a variable names has to be mounted read-only, as a folder, readable only by the pod's group, and
    from a Secret if it is secret."""
    pod, container = pod_of(objects)["spec"], container_of(objects)
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    mounts = {mount["mountPath"]: mount for mount in container.get("volumeMounts", [])}
    for variable, path in files_of(objects).items():
        mount = mounts.get(path.rsplit("/", 1)[0], {})
        kind = "configMap" if variable in NO_SECRETS else "secret"
        source = volumes.get(mount.get("name"), {}).get(kind)
        claims.true(f"{name}: {variable} is in a {kind}", source is not None)
        claims.equal(
            f"{name}: {variable} is mounted read-only, as a folder",
            (mount.get("readOnly"), "subPath" in mount),
            (True, False),
        )
        claims.equal(
            f"{name}: {variable} is for the pod's group alone",
            ((source or {}).get("defaultMode"), pod["securityContext"].get("fsGroup")),
            (0o440, int(program.image()["user"].split(":")[1])),
        )
    used = {mounts[path.rsplit("/", 1)[0]]["name"] for path in files_of(objects).values()}
    claims.equal(f"{name}: nothing else is mounted", set(volumes), used)


def check_sandbox(claims, name, objects):
    claims.equal(f"{name}: STS is the sandbox", environment(objects).get("STS_VERIFY_SANDBOX"), "true")
    claims.equal(f"{name}: nothing can be reached", only(objects, "NetworkPolicy")["spec"]["egress"], [])


def check_redis(claims, name, objects):
    (entry,) = [entry for entry in container_of(objects)["env"] if entry["name"] == "STS_VERIFY_REDIS_URL"]
    claims.equal(
        f"{name}: the URL is in a Secret", entry.get("valueFrom"), {"secretKeyRef": {"name": "sts-verify-redis", "key": "url"}}
    )
    peers = [
        network_policy.namespace(peer)
        for rule in only(objects, "NetworkPolicy")["spec"]["egress"]
        for peer in rule["to"]
        if network_policy.ports(rule) == [6379]
    ]
    claims.equal(f"{name}: its namespace can be reached", peers, ["redis"])


def check_gates(claims, name, objects):
    """Policies are no secret. They have to reach pods that run."""
    path, name_of_file = environment(objects)["STS_VERIFY_POLICIES_FILE"].rsplit("/", 1)
    (mount,) = [mount for mount in container_of(objects)["volumeMounts"] if mount["mountPath"] == path]
    claims.equal(
        f"{name}: the policies are mounted read-only, as a folder", (mount["readOnly"], "subPath" in mount), (True, False)
    )
    (volume,) = [volume for volume in pod_of(objects)["spec"]["volumes"] if volume["name"] == mount["name"]]
    claims.equal(f"{name}: their ConfigMap keeps its name", volume["configMap"]["name"], "sts-verify-policies")
    for item in of_kind(objects, "ConfigMap"):
        if item["metadata"]["name"] == "sts-verify-policies":
            claims.equal(f"{name}: it has the file", list(item["data"]), [name_of_file])


def check_production(claims, name, objects):
    deployment, scaler = only(objects, "Deployment"), only(objects, "HorizontalPodAutoscaler")["spec"]
    target = scaler["scaleTargetRef"]
    claims.equal(
        f"{name}: the autoscaler is for the Deployment",
        (target["kind"], target["name"]),
        ("Deployment", deployment["metadata"]["name"]),
    )
    claims.true(f"{name}: only the autoscaler sets the number", "replicas" not in deployment["spec"])
    claims.true(
        f"{name}: there is a replica for each of three zones, and room above",
        3 <= scaler["minReplicas"] < scaler["maxReplicas"],
    )
    (metric,) = scaler["metrics"]
    cpu = metric["resource"]["target"].get("averageUtilization", 0) if metric["resource"]["name"] == "cpu" else None
    claims.true(f"{name}: it scales by CPU, with room until more pods are there", cpu and 40 <= cpu <= 80)
    behavior = scaler["behavior"]
    claims.true(
        f"{name}: it scales up at once and down slowly",
        behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
        and behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300,
    )
    claims.true(f"{name}: the image is named by digest", "@sha256:" in container_of(objects)["image"])
    settings = environment(objects)
    claims.true(f"{name}: callers need an API key", "STS_VERIFY_API_KEYS_FILE" in settings)
    claims.equal(f"{name}: no Swagger UI", settings.get("STS_VERIFY_DOCS"), "false")
    claims.true(f"{name}: STS is AWS's", "STS_VERIFY_SANDBOX" not in settings)


def check_tls(claims, name, renders):
    with_tls, without = renders

    def schemes(objects):
        container = container_of(objects)
        return {
            container[probe]["httpGet"].get("scheme", "HTTP")
            for probe in ("startupProbe", "readinessProbe")
        }

    claims.equal(
        f"{name}: the probes speak it where the program does",
        (schemes(with_tls), schemes(without)),
        ({"HTTPS"}, {"HTTP"}),
    )
    ports = [port["port"] for port in only(with_tls, "Service")["spec"]["ports"]]
    claims.equal(f"{name}: the Service's port is 443", ports, [443])


def check_monitor(claims, name, objects):
    monitor = only(objects, "ServiceMonitor")["spec"]
    selected = [
        item
        for item in of_kind(objects, "Service")
        if selects(monitor["selector"]["matchLabels"], item["metadata"]["labels"])
    ]
    claims.equal(
        f"{name}: it finds the Service of the metrics, and no other",
        [item["metadata"]["name"] for item in selected],
        ["sts-verify-metrics"],
    )
    (wanted,) = set(re.findall(r'job="([^"]+)"', program.read("deploy/prometheus/alerts.yml")))
    jobs = {item["metadata"]["labels"].get(monitor.get("jobLabel")) for item in selected}
    claims.equal(f"{name}: the job is called as the alert rules expect", jobs, {wanted})
    (endpoint,) = monitor["endpoints"]
    names = [port["name"] for item in selected for port in item["spec"]["ports"]]
    claims.true(f"{name}: its port is one of that Service", endpoint.get("port") in names)
    claims.true(f"{name}: its path is a route", f'"{endpoint.get("path")}"' in program.read("src/http/router.rs"))
