"""The documented properties of the scripts in tools/release that need no build."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile

import program

NAME = "tools"
SCRIPTS = program.ROOT / "tools/release"

CHANGELOG = """# Changelog

Words before.

## [Unreleased]

- Not yet.

## [1.2.0] - 2026-11-26

### Added

- One entry, that is long and goes on
  in a second line, with `code`
  and a third.
- Another with parts:
  - a part
  - and one more
    that goes on

### Fixed

- [A link][1].

## 1.1.0

## [1.0.0] - 2026-01-01

- The first.

[1]: https://example.com/1
[1.0.0]: https://example.com/1.0.0
"""

NOTES = """### Added

- One entry, that is long and goes on in a second line, with `code` and a third.
- Another with parts:
  - a part
  - and one more that goes on

### Fixed

- [A link][1].
"""


def run(script, *arguments, **more):
    command = [SCRIPTS / script, *map(str, arguments)]
    return subprocess.run(command, text=True, capture_output=True, check=False, **more)


def check_notes(claims, name, folder):
    changelog = folder / "CHANGELOG.md"
    changelog.write_text(CHANGELOG, encoding="utf-8")

    def notes(version):
        done = run("notes", version, changelog)
        return done.stdout if done.returncode == 0 else done.stderr.strip()

    claims.equal(f"{name}: notes are the section of the version, with one line per entry", notes("1.2.0"), NOTES)
    claims.equal(f"{name}: the last section has no link targets", notes("1.0.0"), "- The first.\n")
    empty = "notes: CHANGELOG.md: the section of 1.1.0 has no entries"
    claims.equal(f"{name}: an empty section is refused", notes("1.1.0"), empty)
    for version in ("1.2", "2.0", "1.2.0-rc.1", "1?2.0"):
        nothing = f"notes: CHANGELOG.md: there are 0 sections of {version}"
        claims.equal(f"{name}: there are no notes of {version}", notes(version), nothing)
    changelog.write_text(CHANGELOG + "\n## [1.0.0]\n\n- Again.\n", encoding="utf-8")
    twice = "notes: CHANGELOG.md: there are 2 sections of 1.0.0"
    claims.equal(f"{name}: two sections of a version are refused", notes("1.0.0"), twice)
    done = run("notes", "Unreleased")
    claims.true(f"{name}: our own changelog can be read", "- `POST /verify`" in done.stdout, done.stderr)


def release_of(folder, version):
    """A copy of what the check reads, as it would be at the release of this version."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in (
        "Cargo.toml",
        "CHANGELOG.md",
        "deploy/helm/sts-verify/Chart.yaml",
        "tools/release/check",
        "tools/release/notes",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program.ROOT / path, folder / path)
    changelog = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(changelog.replace("## [Unreleased]", f"## [{version}] - 2026-11-26"))


def check_check(claims, name, folder):
    version, repository = program.version(), program.repository()
    release_of(folder / "release", version)

    def check(tag, source=repository):
        done = subprocess.run(
            [folder / "release/tools/release/check", tag, source], text=True, capture_output=True, check=False
        )
        return (done.returncode, done.stdout + done.stderr)

    claims.equal(f"{name}: a matching tag can be released", check(f"v{version}"), (0, f"VERSION={version}\n"))
    for tag in ("v9.9.9", version, "v1", f"v{version}.1"):
        claims.equal(f"{name}: {tag} cannot be released", check(tag)[0], 1)
    elsewhere = check(f"v{version}", "https://github.com/somebody/else")
    claims.equal(f"{name}: a tag of another repository cannot be released", elsewhere[0], 1)
    claims.true(f"{name}: the error names the repository", repository in elsewhere[1], elsewhere)
    chart = folder / "release/deploy/helm/sts-verify/Chart.yaml"
    for field in ("version: ", 'appVersion: "'):
        text = chart.read_text(encoding="utf-8")
        chart.write_text(text.replace(f"\n{field}{version}", f"\n{field}9.9.9"))
        claims.equal(f"{name}: a tag with another {field.split(':')[0]} of the chart", check(f"v{version}")[0], 1)
        chart.write_text(text)
    shutil.copy(program.ROOT / "CHANGELOG.md", folder / "release/CHANGELOG.md")
    claims.equal(f"{name}: a tag without notes cannot be released", check(f"v{version}")[0], 1)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_archive(claims, name, folder):
    target, epoch = "x86_64-unknown-linux-musl", 1764115200
    made = folder / "sts-verify"
    made.write_bytes(b"#!/bin/sh\n")
    packed = []
    for place, mask in (("one", 0o022), ("another", 0o077)):
        done = run("archive", made, target, epoch, folder / place, preexec_fn=lambda mask=mask: os.umask(mask) and None)
        claims.equal(f"{name}: the archive is made", done.stderr, "")
        packed.append(folder / place / os.path.basename(done.stdout.strip()))
        # Another time, which must not be in it.
        os.utime(made, (epoch + 1, epoch + 1))
    claims.equal(f"{name}: the same program makes the same archive", digest(packed[0]), digest(packed[1]))
    with tarfile.open(packed[0]) as archive:
        members = {member.name: (oct(member.mode), member.mtime, member.uid) for member in archive if member.isfile()}
        folders = {member.name for member in archive if member.isdir()}
    (top,) = folders
    wanted = {f"{top}/{file}": ("0o644", epoch, 0) for file in ("CHANGELOG.md", "LICENSE", "README.md")}
    claims.equal(
        f"{name}: it has program, licence and docs", members, wanted | {f"{top}/sts-verify": ("0o755", epoch, 0)}
    )
    check_binstall(claims, name, packed[0].name, top, target)


def check_binstall(claims, name, archive, top, target):
    """cargo binstall finds the archive, and the program in it."""
    about = program.package()["package"]["metadata"]["binstall"]
    words = {
        "repo": program.repository(),
        "version": program.version(),
        "target": target,
        "bin": "sts-verify",
        "binary-ext": "",
    }

    def filled(template):
        return re.sub(r"\{ ([a-z-]+) \}", lambda match: words[match[1]], template)

    url = f"{program.repository()}/releases/download/v{program.version()}/{archive}"
    claims.equal(f"{name}: cargo binstall requests the archive by its name", filled(about["pkg-url"]), url)
    claims.equal(f"{name}: and for the program in it", filled(about["bin-dir"]), f"{top}/sts-verify")
    claims.equal(f"{name}: as what it is", about["pkg-fmt"], "tgz")


def check_image_root(claims, name, folder):
    root = folder / "builder"
    shutil.rmtree(root, ignore_errors=True)
    done = run("image-root", folder / "sts-verify", root)
    claims.equal(f"{name}: what the image holds can be laid out", (done.returncode, done.stderr), (0, ""))
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    roots = "image/etc/ssl/certs/ca-certificates.crt"
    claims.equal(f"{name}: it is the program and the CA roots", set(found), {"image/sts-verify", roots})
    text = found[roots].read_text(encoding="ascii")
    begins, ends = text.count("-----BEGIN CERTIFICATE-----\n"), text.count("\n-----END CERTIFICATE-----\n")
    claims.true(f"{name}: the CA roots are complete", begins == ends > 100, f"({begins}, {ends})")
    modes = {name: oct(path.stat().st_mode & 0o777) for name, path in found.items()}
    claims.equal(f"{name}: everyone can read them", modes, {"image/sts-verify": "0o755", roots: "0o644"})
    dockerfile = program.read("Dockerfile")
    claims.true(
        f"{name}: the Dockerfile takes it from a stage that can be replaced",
        "COPY --from=builder /image /" in dockerfile,
    )
    claims.true(
        f"{name}: whose name is that of the release's", re.search(r"^FROM \S+ AS builder$", dockerfile, re.MULTILINE)
    )


ALL = [check_notes, check_check, check_archive, check_image_root]
