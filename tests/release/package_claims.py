"""What is promised of the two crates, and of the list of what they are made of."""

import os
import pathlib
import subprocess
import tarfile
import tomllib

import program

NAME = "packages"

# What a package of each has to hold besides its sources, and the only folders that it may hold.
WANTED = {"Cargo.toml", "Cargo.lock", "LICENSE", "README.md"}
FOLDERS = {"sts-verify": {"src", "tests", "benches"}, "sts-sandbox": {"src"}}


def cargo(*arguments):
    return subprocess.run(
        ["cargo", *arguments],
        text=True,
        capture_output=True,
        check=False,
        cwd=program.ROOT,
        env=os.environ | {"CARGO_TERM_COLOR": "never"},
    )


def check_packages(claims, name, folder):
    """With everything that publishing does but the upload: both are packaged, and built from their packages."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", program.ROOT / "target"))
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
        claims.equal(f"{name}: {crate} has its sources, and nothing of the workshop", found, folders)
        claims.equal(f"{name}: {crate} says where it is from", about.get("repository"), program.repository())
        missing = {"description", "license", "documentation", "keywords", "categories", "rust-version"} - set(about)
        claims.none(f"{name}: {crate} says what it is", sorted(missing))
        claims.true(f"{name}: {crate} may be published", about.get("publish", True) is not False)
    needed = program.package()["dependencies"]["sts-sandbox"]["version"]
    sandbox = tomllib.loads(program.read("sandbox/Cargo.toml"))["package"]["version"]
    claims.equal(f"{name}: sts-verify needs the sts-sandbox that is beside it", needed, sandbox)


ALL = [check_packages]
