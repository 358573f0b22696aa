"""Environments and profiles: boto3 reads them, the service gets them as JSON, and both have to find the same
credentials."""

import configparser
import os
import tempfile

import boto3

from cases import GOOD, TOKEN
from service import Program, verify

SECRET = "canned/Secret+NotARealSecret/EXAMPLEKEY0"
PAIR = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": SECRET}  # None: a key of its own for each side
OTHERS = {"TOKEN": "ghp_other", "SECRET_KEY": "django of another", "ACCESS_KEY": "AKIAOTHEROTHEREXAMPL",
          "SESSION_TOKEN": "other", "SECURITY_TOKEN": "other", "GITHUB_TOKEN": "other", "REGION": "emea"}
ENVIRONMENTS = {
    "a long-term key": PAIR,
    "a session": PAIR | {"AWS_SESSION_TOKEN": TOKEN},
    "AWS_SECURITY_TOKEN alone": PAIR | {"AWS_SECURITY_TOKEN": TOKEN},
    "both tokens": PAIR | {"AWS_SECURITY_TOKEN": TOKEN, "AWS_SESSION_TOKEN": TOKEN},
    "an empty token": PAIR | {"AWS_SESSION_TOKEN": ""},
    "secrets of other things": PAIR | OTHERS,
    "secrets of other things beside a session": OTHERS | PAIR | {"AWS_SECURITY_TOKEN": TOKEN},
    "a region of China": PAIR | {"AWS_DEFAULT_REGION": "cn-north-1"},
    "a region of GovCloud": PAIR | {"AWS_DEFAULT_REGION": "us-gov-west-1", "AWS_REGION": "us-gov-west-1"},
}
PROFILES = {  # `region` is a profile's own, and ours
    f"{name}, as a profile": {key.lower(): value for key, value in ENVIRONMENTS[name].items() if key != "REGION"}
    for name in ("a long-term key", "a session", "AWS_SECURITY_TOKEN alone", "both tokens", "secrets of other things")
}


def compare(suite, sts):
    clean = dict(os.environ)
    os.environ["AWS_ENDPOINT_URL_STS"] = f"http://{sts.address}"
    with tempfile.TemporaryDirectory() as folder, Program(
            "serve", AWS_ENDPOINT_URL_STS=f"http://{sts.address}", STS_VERIFY_ALLOWED_REGIONS="*") as program:
        for number, (name, values) in enumerate([*ENVIRONMENTS.items(), *PROFILES.items()]):
            sides = {}
            for side in "BS":  # boto3, the service
                access_key = f"AKIADUMPED{number:02d}{side}EXAMPLE"
                script = sts.add(access_key, (GOOD,))
                sides[side] = script, {key: access_key if value is None else value for key, value in values.items()}
            with_boto3(sides["B"][1], os.path.join(folder, "credentials") if name in PROFILES else None)
            answer = verify(program.address, sides["S"][1])
            by_boto3, by_us = (script.seen for script, _ in sides.values())
            suite.result(f"a dump: {name}", [] if len(by_boto3) == 1 and by_boto3 == by_us else [
                f"what STS was asked: boto3 {by_boto3}, ours {by_us}", f"our answer: {answer.body}"])
    os.environ.clear()
    os.environ.update(clean)


def with_boto3(values, profile):
    """Calls STS with the credentials that boto3 finds in the environment or in a shared credentials file."""
    before = dict(os.environ)
    if profile:
        file = configparser.RawConfigParser()
        file["default"] = values
        with open(profile, "w") as out:
            file.write(out)
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = profile
    else:
        os.environ.update(values)
    try:
        boto3.Session().client("sts").get_caller_identity()
    finally:
        os.environ.clear()
        os.environ.update(before)
