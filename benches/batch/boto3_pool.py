"""The usual alternative: a client for each key, 32 threads, and a ClientError counts as an invalid key."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.exceptions


def verify(line):
    key = json.loads(line)
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    try:
        session.client("sts").get_caller_identity()
        return "valid", None
    except botocore.exceptions.ClientError as error:
        return "invalid", error.response["Error"]["Code"]
    except botocore.exceptions.BotoCoreError as error:
        return "error", type(error).__name__


with open(sys.argv[1]) as lines, ThreadPoolExecutor(32) as pool:
    for verdict, code in pool.map(verify, lines):
        print(json.dumps({"verdict": verdict, "error_code": code}))
