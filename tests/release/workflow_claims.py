"""The documented properties of .github/workflows."""

import re
import subprocess

import program
import yaml

NAME = "workflows"
FOLDER = program.ROOT / ".github/workflows"

# The exact permissions of each job of the release.
PERMISSIONS = {
    "check": {"contents": "read"},
    "programs": {"contents": "read"},
    "images": {"contents": "read", "packages": "write"},
    "image": {"packages": "write", "id-token": "write", "attestations": "write"},
    "chart": {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"},
    "release": {"contents": "write", "id-token": "write", "attestations": "write"},
}

RUNNERS = {
    "x86_64-unknown-linux-musl": ("amd64", "ubuntu-24.04"),
    "aarch64-unknown-linux-musl": ("arm64", "ubuntu-24.04-arm"),
}


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, cwd=program.ROOT)


def said_by(done):
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit code {done.returncode}"


def workflows():
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}


def release():
    return workflows()["release.yml"]


def check_tools(claims, name, _):
    files = [str(path) for path in sorted(FOLDER.glob("*.yml"))]
    claims.true(f"{name}: there are some", len(files) >= 3)
    for schema in ("vendor.github-workflows", "custom.github-workflows-require-timeout"):
        done = run("check-jsonschema", "--builtin-schema", schema, *files)
        claims.none(f"{name}: valid by the schema {schema}", said_by(done))
    claims.none(f"{name}: zizmor reports nothing", said_by(run("zizmor", "--offline", "--no-progress", *files)))
    pedantic = run("zizmor", "--offline", "--no-progress", "--persona=pedantic", str(FOLDER / "release.yml"))
    claims.none(f"{name}: the pedantic mode reports nothing in the release", said_by(pedantic))


def check_scripts(claims, name, _):
    """The commands of the steps, and the scripts that they call."""
    for file, workflow in workflows().items():
        for job, about in workflow["jobs"].items():
            for step in about["steps"]:
                if "run" in step:
                    # GitHub would insert the value of an expression into the script, whatever it contains.
                    claims.true(f"{name}: {file}, {job}: no expression in {title(step)}", "${{" not in step["run"])
                    done = run("shellcheck", "--shell=bash", "-", stdin="set -eo pipefail\n" + step["run"])
                    claims.none(f"{name}: {file}, {job}: shellcheck reports nothing in {title(step)}", said_by(done))
    called = set(re.findall(r"\btools/release/([a-z-]+)", (FOLDER / "release.yml").read_text(encoding="utf-8")))
    there = {path.name for path in (program.ROOT / "tools/release").iterdir()}
    # `build` is called by `reproducible`.
    claims.equal(f"{name}: the release calls every script, and no other", called | {"build"}, there)
    shell = [
        path for path in sorted((program.ROOT / "tools/release").iterdir()) if "bash" in path.read_text().split("\n")[0]
    ]
    claims.none(f"{name}: shellcheck reports nothing in tools/release", said_by(run("shellcheck", *map(str, shell))))


def title(step):
    return step.get("name", step["run"].split("\n")[0])


def check_pins(claims, name, _):
    pins = {}
    for path in sorted(FOLDER.glob("*.yml")):
        for action, pin, rest in re.findall(
            r"uses: ([^@\s]+)@(\S+)(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            claims.true(f"{name}: {path.name}: {action} is named by its commit", re.fullmatch(r"[0-9a-f]{40}", pin))
            claims.true(f"{name}: {path.name}: and its version is beside it", re.fullmatch(r" # v\d+\.\d+\.\d+", rest))
            pins.setdefault(action, set()).add((pin, rest))
    several = [f"{action}: {found}" for action, found in pins.items() if len(found) > 1]
    claims.none(f"{name}: each action has one version everywhere", several)


def check_permissions(claims, name, _):
    claims.equal(f"{name}: the release has no permissions by default", release()["permissions"], {})
    found = {job: about.get("permissions") for job, about in release()["jobs"].items()}
    claims.equal(f"{name}: each of its jobs has the permissions that it needs", found, PERMISSIONS)
    for file, workflow in workflows().items():
        if file != "release.yml":
            claims.equal(f"{name}: {file} may read the source", workflow["permissions"], {"contents": "read"})
        steps = [step for about in workflow["jobs"].values() for step in about["steps"]]
        kept = [step for step in steps if "actions/checkout@" in step.get("uses", "")]
        claims.true(
            f"{name}: {file}: no checkout leaves a token behind",
            all(step["with"]["persist-credentials"] is False for step in kept),
        )


def check_order(claims, name, _):
    """Nothing is published before everything that it depends on was built and checked."""
    jobs = release()["jobs"]
    # YAML reads `on` as a boolean.
    claims.equal(f"{name}: a tag starts a release", release()[True], {"push": {"tags": ["v*"]}})

    def before(job):
        needed = jobs[job].get("needs", [])
        needed = [needed] if isinstance(needed, str) else needed
        return set(needed).union(*map(before, needed))

    claims.equal(f"{name}: the tag is checked first", before("check"), set())
    claims.equal(f"{name}: programs are built before images", before("images"), {"check", "programs"})
    claims.equal(f"{name}: the release comes last", before("release"), set(PERMISSIONS) - {"release"})
    rows = jobs["programs"]["strategy"]["matrix"]["include"]
    found = {row["target"]: (row["arch"], row["runner"]) for row in rows}
    claims.equal(f"{name}: programs are built on machines of their platform", found, RUNNERS)
    rows = jobs["images"]["strategy"]["matrix"]["include"]
    claims.equal(f"{name}: so are the images", {(row["arch"], row["runner"]) for row in rows}, set(RUNNERS.values()))
    built = [step["run"] for step in jobs["programs"]["steps"] if "release/reproducible" in step.get("run", "")]
    claims.equal(f"{name}: the released program was built twice", built, ["tools/release/reproducible"])


def check_names(claims, name, _):
    """The names of the image and the chart are those that the chart and the documents have."""
    about, place = release()["env"], program.repository().removeprefix("https://github.com/")
    for word, value in {
        "${{ github.repository }}": place,
        "${{ github.repository_owner }}": place.split("/")[0],
    }.items():
        about = {key: text.replace(word, value) for key, text in about.items()}
    values = yaml.safe_load(program.read("deploy/helm/sts-verify/values.yaml"))
    claims.equal(f"{name}: the image is the chart's", about["IMAGE"], values["image"]["repository"])
    readme = program.read("deploy/helm/sts-verify/README.md")
    claims.true(f"{name}: the chart is where its README says", f"oci://{about['CHARTS']}/sts-verify " in readme)
    page = program.read("docs/releasing.md")
    for what in (about["IMAGE"], f"{about['CHARTS']}/sts-verify"):
        claims.true(f"{name}: docs/releasing.md explains how to verify {what}", what in page)


ALL = [check_tools, check_scripts, check_pins, check_permissions, check_order, check_names]
