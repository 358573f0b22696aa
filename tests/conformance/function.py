"""The Lambda function that the service replaces, as documented."""

import base64
import json

import boto3
from botocore.exceptions import ClientError

HEADERS = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}


def lambda_handler(event, context):
    values = read(event)
    session = boto3.Session(
        aws_access_key_id=values["stsAccessKey"],
        aws_secret_access_key=values["stsSecretKey"],
        aws_session_token=values.get("stsSessionToken"),
    )
    try:
        result = session.client("sts").get_caller_identity()
    except ClientError as error:
        return envelope(400, {
            "exception": "ClientError",
            "error_code": error.response["Error"]["Code"],
            "error_message": error.response["Error"]["Message"],
        })
    return envelope(200, {"aws_res": result})


def read(event):
    """The values: the event itself, or the body of an API Gateway event."""
    if "body" not in event:
        return event
    body = event["body"]
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    return json.loads(body)


def envelope(status, body):
    return {"statusCode": status, "headers": HEADERS, "body": json.dumps(body)}
