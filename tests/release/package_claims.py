"""The documented properties of the two crates, and of the list of their dependencies."""

import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tomllib

import program

NAME = "packages"

# The required files of each package besides its sources, and its only allowed folders.
WANTED = {"Cargo.toml", "Cargo.lock", "LICENSE", "README.md"}
FOLDERS = {"sts-verify": {"src", "tests", "benches"}, "sts-sandbox": {"src", "examples"}}


def cargo(*arguments):
    return subprocess.run(
        ["cargo", *arguments],
        text=True,
        capture_output=True,
        check=False,
        cwd=program.ROOT,
        env=os.environ | {"CARGO_TERM_COLOR": "never"},
    )


def forget_the_sandbox(target):
    """Removes the sandbox of an earlier run: Cargo unpacks and builds a package once for each version, even if its
    content has changed since."""
    home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    # Registries without a host name are those of `cargo package`.
    unpacked = home.glob(f"registry/src/-*/sts-sandbox-{program.version()}")
    for folder in [*unpacked, *target.glob("debug/.fingerprint/sts-sandbox-*")]:
        shutil.rmtree(folder)


def check_packages(claims, name, folder):
    """Does everything that publishing does except the upload: both are packaged, and built from their packages."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", program.ROOT / "target"))
    forget_the_sandbox(target)
    done = cargo("package", "--workspace", "--locked", "--offline", "--allow-dirty", "--target-dir", str(target))
    claims.none(f"{name}: both are packaged and build from their packages", done.stderr if done.returncode else None)
    warned = [line for line in done.stderr.splitlines() if "warning" in line]
    claims.none(f"{name}: without a warning", warned)
    for crate, folders in FOLDERS.items():
        path = target / f"package/{crate}-{program.version()}.crate"
        with tarfile.open(path) as archive:
            files = [member.name.split("/", 1)[1] for member in archive]
            about = tomllib.load(archive.extractfile(f"{crate}-{program.version()}/Cargo.toml"))["package"]
        claims.none(f"{name}: {crate} has licence and readme", sorted(WANTED - set(files)))
        found = {file.split("/")[0] for file in files if "/" in file}
        claims.equal(f"{name}: {crate} has its sources, and no development files", found, folders)
        claims.equal(f"{name}: {crate} names its repository", about.get("repository"), program.repository())
        missing = {"description", "license", "documentation", "keywords", "categories", "rust-version"} - set(about)
        claims.none(f"{name}: {crate} has a description", sorted(missing))
        claims.true(f"{name}: {crate} may be published", about.get("publish", True) is not False)
    needed = program.package()["dependencies"]["sts-sandbox"]["version"]
    sandbox = tomllib.loads(program.read("sandbox/Cargo.toml"))["package"]["version"]
    claims.equal(f"{name}: sts-verify depends on the sts-sandbox of this workspace", needed, sandbox)


def crates_of(target):
    """The crates that are in the program, as cargo names them."""
    options = ("--locked", "--offline", "--edges", "normal", "--target", target, "--prefix", "none", "--format", "{p}")
    lines = cargo("tree", "--package", "sts-verify", *options).stdout.splitlines()
    # `name v1.2.3 (path)`, or `(proc-macro)`.
    return {tuple(line.split(" ")[:2]) for line in lines if line}


def check_sbom(claims, name, folder):
    for target in ("x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"):
        done = subprocess.run(
            [program.ROOT / "tools/release/sbom", target, "1764115200", folder / "sbom"],
            text=True,
            capture_output=True,
            check=False,
        )
        claims.none(f"{name}: the list for {target} is made", done.stderr if done.returncode else None)
        path = pathlib.Path(done.stdout.strip())
        wanted = f"sts-verify-{program.version()}-{target}.cdx.json"
        claims.equal(f"{name}: it has the name that the release expects", path.name, wanted)
        text = path.read_text(encoding="utf-8")
        claims.true(f"{name}: no path of this machine is in it", str(program.ROOT) not in text)
        bill = json.loads(text)
        kind = (bill["bomFormat"], bill["specVersion"], bill["metadata"]["component"]["version"])
        claims.equal(f"{name}: it is CycloneDX, of this version", kind, ("CycloneDX", "1.5", program.version()))
        found = {(part["name"], f"v{part['version']}") for part in bill["components"]} | {
            ("sts-verify", f"v{program.version()}")
        }
        claims.equal(f"{name}: it lists the crates of the program for {target}", found ^ crates_of(target), set())
    claims.none(f"{name}: nothing is left behind", [str(path) for path in program.ROOT.glob("*.cdx.json")])


ALL = [check_packages, check_sbom]
