"""`POST /validate` of the migration example, in the words of its source.

It looks at the request only. The card number is measured, and neither kept nor logged.
"""

import json
from decimal import Decimal

REQUIRED = ["customer_id", "amount", "currency", "card_number"]


def handler(event, context):
    """Answers API Gateway (Lambda proxy integration)."""
    try:
        problem = problem_of(json.loads(event["body"], parse_float=Decimal))
        if problem:
            return answer(400, {"error": problem})
        return answer(200, {"message": "Payment validation successful", "validated": True})
    except Exception as error:
        # The text of an error may quote the request.
        print(f"Validation error: {type(error).__name__}")
        return answer(500, {"error": "Internal validation error"})


def problem_of(body):
    """What is wrong with a request."""
    for name in REQUIRED:
        if name not in body:
            return f"Missing required field: {name}"
    if Decimal(str(body["amount"])) <= 0:
        return "Amount must be positive"
    if not 13 <= len(body["card_number"].replace(" ", "")) <= 19:
        return "Invalid card number format"
    return None


def answer(status, body):
    """A response for API Gateway."""
    return {"statusCode": status, "body": json.dumps(body)}
