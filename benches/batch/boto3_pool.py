"""The usual alternative: a client for each key, 32 threads, and a ClientError counts as an invalid key."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.exceptions


# One session: it loads the service's description once.
SESSION = boto3.Session(region_name="us-east-1")


def verify(line):
    key = json.loads(line)
    try:
        client = SESSION.client(
            "sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        client.get_caller_identity()
        return "valid", None
    except botocore.exceptions.ClientError as error:
        return "invalid", error.response["Error"]["Code"]
    except botocore.exceptions.BotoCoreError as error:
        return "error", type(error).__name__


with open(sys.argv[1]) as lines, ThreadPoolExecutor(32) as pool:
    for verdict, code in pool.map(verify, lines):
        print(json.dumps({"verdict": verdict, "error_code": code}))
