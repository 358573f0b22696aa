"""Sends the same requests to the function (boto3) and to the service, with the same stand-in for STS, and compares the
answers.

Each retry mode is that of a named release of botocore, and is compared with the release that is installed: legacy with
1.43, standard with 1.44.

`--show` prints boto3's result of each case; with `--without-service` only boto3 is called.
"""

import functools
import os
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import botocore
import botocore.config
import botocore.endpoint
import botocore.loaders

import dumps
import unreachable
from canned import CannedSts
from cases import errors, retries, success, wire
from comparison import ask_function, differences_of
from report import Suite
from service import Program, clean_this_process, verify

SECRET = "canned/Secret+NotARealSecret/EXAMPLEKEY0"
RELEASE = ".".join(botocore.__version__.split(".")[:2])
# The first mode of each runs all cases.
MODES = {
    "1.43": {
        "legacy": {"AWS_RETRY_MODE": "legacy"},
        "two attempts": {"AWS_RETRY_MODE": "legacy", "AWS_MAX_ATTEMPTS": "2"},
    },
    "1.44": {
        "standard": {"AWS_RETRY_MODE": "standard"},
        "adaptive": {"AWS_RETRY_MODE": "adaptive"},
        "five attempts": {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "5"},
    },
}[RELEASE]
SUITES = {"1.43": "boto3", "1.44": "boto3-1.44"}
PATIENT, HASTY = 30, 2  # seconds for one attempt, where STS answers and where it never does


def main():
    clean_this_process(AWS_DEFAULT_REGION="us-east-1")
    # The waits between attempts are random: nothing to compare. botocore sees a clock that has no sleep.
    clock = botocore.endpoint.time
    botocore.endpoint.time = types.SimpleNamespace(time=clock.time, sleep=lambda _: None)
    # Each question makes a new session, as the function did; reading botocore's data files once is enough.
    loader = botocore.loaders.JSONFileLoader
    read_once = functools.cache(functools.partial(loader._load_file, loader()))
    loader._load_file = lambda _, *file: read_once(*file)
    every = [*success.cases(), *errors.cases(), *retries.cases(), *wire.cases()]
    suite, sts = Suite(SUITES[RELEASE], f"cases ({len(every)} answers, of these {sum(c.every_mode for c in every)} in "
                       f"{len(MODES)} retry modes, botocore {botocore.__version__})"), CannedSts()
    names = [case.name for case in every]
    for place, (mode, settings) in enumerate(MODES.items()):
        asked = [case for case in every if case.every_mode or place == 0]
        for limit, batch in ((PATIENT, [c for c in asked if not c.stalls]), (HASTY, [c for c in asked if c.stalls])):
            compare_all(suite, sts, mode, settings, limit, batch)
    unreachable.compare(suite, show, next(iter(MODES.items())))
    if "--without-service" not in sys.argv:
        dumps.compare(suite, sts)
    assert len(names) == len(set(names)), "two cases of one name"
    suite.close("all agree")


def compare_all(suite, sts, mode, settings, limit, batch):
    """Sends all requests of a batch at once: each has its own access key ID, and so its own script."""
    os.environ.update(settings, AWS_ENDPOINT_URL_STS=f"http://{sts.address}")
    botocore.config.Config.OPTION_DEFAULTS.update(connect_timeout=limit, read_timeout=limit)
    program = None if "--without-service" in sys.argv else Program(
        "serve", AWS_ENDPOINT_URL_STS=f"http://{sts.address}", STS_VERIFY_RETRY_BACKOFF="1ms",
        STS_VERIFY_CONNECT_TIMEOUT=f"{limit}s", STS_VERIFY_ATTEMPT_TIMEOUT=f"{limit}s", STS_VERIFY_DEADLINE="300s",
        STS_VERIFY_LOG="debug", **settings)
    with ThreadPoolExecutor(24) as pool:
        futures = [(case, pool.submit(compare, sts, mode, number, case, program)) for number, case in enumerate(batch)]
    for case, future in futures:
        record(suite, mode, case, future.result())
    if program:
        program.stop()
        suite.check(f"[{mode}] no secret in the log", assert_no_secret, program.lines)
    for name in settings:
        del os.environ[name]


def compare(sts, mode, number, case, program):
    letter = mode[0].upper() + ("H" if case.stalls else "P")
    scripts, questions = {}, {}
    for side in "FS":  # the function, the service
        access_key = f"AKIA{number:06d}{letter}{side}EXAMPLE"
        scripts[side] = sts.add(access_key, case.answers)
        questions[side] = {"stsAccessKey": access_key, "stsSecretKey": SECRET}
        if case.token is not None:
            questions[side]["stsSessionToken"] = case.token
    with ThreadPoolExecutor(1) as beside:
        service = beside.submit(verify, program.address, questions["S"]) if program else None
        expected = ask_function(questions["F"])
    show(mode, case.name, expected, len(scripts["F"].seen))
    if not program:
        return []
    found = differences_of(expected, service.result(), case.verdict)
    by_boto3, by_us = (scripts[side].seen for side in "FS")
    if len(by_boto3) != len(by_us):
        found.append(f"attempts: boto3 {len(by_boto3)}, ours {len(by_us)}")
    elif by_boto3 != by_us:
        found.append(f"what STS was asked: boto3 {by_boto3[0]}, ours {by_us[0]}")
    stated = stated_here(case)
    return against_statement(stated, found, service.result()) if stated else found


def stated_here(case):
    return case.stated or (case.since_1_44 if RELEASE == "1.44" else None)


def against_statement(stated, found, ours):
    """The errors of a stated difference: it must exist, and be as stated."""
    given = (ours.status, dict(ours.json()).get("error_code"))
    wanted = (stated.status, stated.code)
    if given != wanted:
        return [f"stated: {stated.reason}", f"answer: wanted {wanted}, ours {given}"]
    return [] if found else ["stated as different, and yet the answers agree"]


def show(mode, name, expected, attempts):
    if "--show" not in sys.argv:
        return
    text = f"{type(expected).__name__}: {expected}"[:150] if isinstance(expected, Exception) else expected["body"]
    print(f"[{mode}] {name} | {attempts} attempts | {text!r}")


def record(suite, mode, case, found):
    stated = stated_here(case)
    if stated and not found:
        suite.state(case.name, stated.reason)
    else:
        suite.result(f"[{mode}] {case.name}", found)


def assert_no_secret(lines):
    text = "".join(lines)
    assert SECRET not in text and "SandboxSession" not in text and "NotARealToken" not in text, "it is there"
    assert text.count('"/verify"') > 0, "there is no line for a request"


if __name__ == "__main__":
    main()
