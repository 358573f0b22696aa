"""The restricted profile of Kubernetes' Pod Security Standards, as far as it is about Linux.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(pod):
    """The parts of this pod's spec that the profile does not allow."""
    found = [field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
    for volume in pod.get("volumes", []):
        found += [f"volume of the kind {kind}" for kind in set(volume) - {"name"} - VOLUMES]
    context = pod.get("securityContext", {})
    if context.get("sysctls"):
        found.append("sysctls")
    for container in pod.get("initContainers", []) + pod["containers"] + pod.get("ephemeralContainers", []):
        found += [f"{container['name']}: {violation}" for violation in container_violations(container, context)]
    return found


def container_violations(container, pod_context):
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})

    def effective(name):
        return own.get(name, pod_context.get(name))

    rules = {
        "privileged": not own.get("privileged"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "runAsNonRoot": effective("runAsNonRoot") is True,
        "runAsUser": effective("runAsUser") != 0,
        "seccompProfile": (effective("seccompProfile") or {}).get("type") in ("RuntimeDefault", "Localhost"),
        "capabilities.drop": "ALL" in capabilities.get("drop", []),
        "capabilities.add": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "procMount": own.get("procMount", "Default") == "Default",
        "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
    }
    return [name for name, holds in rules.items() if not holds]
