"""Accepts every payment: the function of the example."""


def handler(event, context):
    return {"statusCode": 200, "body": "accepted"}
