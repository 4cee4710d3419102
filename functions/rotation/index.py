"""Rotates the password of one database user, in the four steps of Secrets Manager.

The user changes its own password, so nobody else's credentials are needed. Each step may come any
number of times: it looks at what is already so and does what is left. No password is logged, and the
database gets a SCRAM verifier instead of the password, so its log has none either.
"""

import json
import numbers
import os
import re
import secrets
import string
from decimal import Decimal
from pathlib import Path

import boto3
from botocore.config import Config
from postgres import Connection, LoginRefused, identifier, literal, verifier

# The longest step has so many calls, and one connection that may have to wait for the database to wake
# up; test_bounds holds them against the timeout.
CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 4
# The roots of RDS in every region, as AWS publishes them.
ROOTS = Path(__file__).with_name("global-bundle.pem")
# As payctl makes the first one: no character that Aurora refuses or that anybody would have to quote.
ALPHABET = string.ascii_letters + string.digits
LENGTH = 32
ENGINES = ("postgres", "aurora-postgresql")


def handler(event, context):
    """Called by Secrets Manager, once for each step. What is raised fails the rotation."""
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    steps = {
        "createSecret": create_secret,
        "setSecret": set_secret,
        "testSecret": test_secret,
        "finishSecret": finish_secret,
    }
    try:
        client = boto3.client("secretsmanager", config=CONFIG)
        if is_finished(client, secret, token):
            done = "version is current already"
        elif step not in steps:
            raise ValueError(f"there is no step {step}")
        else:
            done = steps[step](client, secret, token)
        if step == "finishSecret":
            restart_services()
    except Exception as error:
        log("ERROR", "rotation step failed", context, step=step, **fault(error))
        raise
    return log("INFO", done, context, step=step)


def is_finished(client, secret, token):
    """Whether nothing is left to do for this version; refuses a version that is not staged."""
    described = client.describe_secret(SecretId=secret)
    if not described.get("RotationEnabled", True):
        raise ValueError("rotation is not enabled for this secret")
    stages = described.get("VersionIdsToStages", {}).get(token)
    if stages is None:
        raise ValueError("the secret has no such version")
    if "AWSCURRENT" in stages:
        return True
    if "AWSPENDING" not in stages:
        raise ValueError("the version is not staged for rotation")
    return False


def create_secret(client, secret, token):
    """Stores a new password as the pending version."""
    current = credentials(client, secret, "AWSCURRENT")
    try:
        credentials(client, secret, "AWSPENDING", token)
        return "pending version is there already"
    except client.exceptions.ResourceNotFoundException:
        pass
    pending = current | {"password": "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))}
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=token,
        SecretString=json.dumps(pending),
        VersionStages=["AWSPENDING"],
    )
    return "pending version created"


def set_secret(client, secret, token):
    """Makes the pending password the one that the database knows."""
    pending = credentials(client, secret, "AWSPENDING", token)
    try:
        with connect(pending):
            return "database has the pending password already"
    except LoginRefused:
        pass
    with connect_with_known(client, secret, pending) as connection:
        new = literal(verifier(pending["password"]))
        connection.run(f"ALTER ROLE {identifier(pending['username'])} WITH PASSWORD {new}")
    return "database has the pending password now"


def connect_with_known(client, secret, pending):
    """A connection with the current password or, after a rotation that broke off, the previous."""
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        try:
            known = credentials(client, secret, stage)
        except client.exceptions.ResourceNotFoundException:
            continue
        # Nobody who can write the pending version may point the password at another place or user.
        for name in ("host", "username"):
            if known[name] != pending[name]:
                raise ValueError(f"the pending version has another {name} than {stage}")
        try:
            return connect(known)
        except LoginRefused:
            continue
    raise LoginRefused("neither the pending nor the current nor the previous password is accepted")


def test_secret(client, secret, token):
    """Logs in with the pending password."""
    with connect(credentials(client, secret, "AWSPENDING", token)) as connection:
        connection.run("SELECT 1")
    return "pending password is accepted"


def finish_secret(client, secret, token):
    """Makes the pending version the current one; what was current becomes the previous."""
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next((name for name, on in stages.items() if "AWSCURRENT" in on), None)
    arguments = {"RemoveFromVersionId": current} if current else {}
    client.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, **arguments
    )
    return "pending version is current now"


def restart_services():
    """New tasks for the services that read the secret: a task reads it only when it starts."""
    for arn in os.environ.get("RESTART_SERVICES", "").split(","):
        if service := arn.strip():
            # arn:aws:ecs:region:account:service/cluster/name
            cluster = service.split("/")[1]
            boto3.client("ecs", config=CONFIG).update_service(
                cluster=cluster, service=service, forceNewDeployment=True
            )


def credentials(client, secret, stage, token=None):
    """One version of the secret, complete."""
    version = {"VersionId": token} if token else {}
    found = client.get_secret_value(SecretId=secret, VersionStage=stage, **version)
    found = json.loads(found["SecretString"])
    for name in ("host", "username", "password"):
        if not found.get(name):
            raise ValueError(f"the secret has no {name}: is it attached to its database?")
    if found.get("engine", ENGINES[0]) not in ENGINES:
        raise ValueError("the secret is not one of a PostgreSQL database")
    return found


def connect(found):
    """Logs in."""
    return Connection(
        host=found["host"],
        port=int(found.get("port", 5432)),
        user=found["username"],
        password=found["password"],
        database=found.get("dbname", "postgres"),
        ca=os.environ.get("DATABASE_CA") or ROOTS,
    )


# What is below stands in every function, in the same words.

# What has as many digits as a card and is none: UUIDs, and times of this and the last century.
NO_CARD = re.compile(
    "(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
    r"|(?<!\d)(?:19|20)\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?!\d)"
)
# The magnetic stripe, first and second track: the number, the name, and what must not be kept.
TRACK = re.compile(
    r"[%;]?[Bb]?\d{13,19}(?:[=D]|\^[^^\n]{0,40}\^)\d\d(?:0[1-9]|1[0-2])\d{3}[^\s?\"]*\??"
)
# Digits with up to three characters between them that are neither digits nor letters.
DIGITS = re.compile(r"\d(?:[\W_]{0,3}\d){12,}")


def masked(value):
    """The same value without card numbers: in texts, in numbers and in the names of fields."""
    if isinstance(value, dict):
        return {mask(str(name)): masked(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    if isinstance(value, (numbers.Real, Decimal)):
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) < 40:
            text = f"{number:f}"
    hidden = mask(text)
    return value if hidden == text else hidden


def mask(text):
    """The same text with stars for all but the last four digits of what may be a card number: any 13
    to 19 digits whose check digit fits, whatever stands between, before and after them."""
    text = TRACK.sub("[track]", text)
    pieces, start = [], 0
    for found in NO_CARD.finditer(text):
        pieces += [DIGITS.sub(stars, text[start : found.start()]), found[0]]
        start = found.end()
    return "".join(pieces) + DIGITS.sub(stars, text[start:])


def stars(found):
    """Stars in a row of digits. No card begins with 0, 1 or 7."""
    signs = list(found[0])
    places = [place for place, sign in enumerate(signs) if sign.isdecimal()]
    digits = [int(signs[place]) for place in places]
    # Of every beginning, the sum of the check with its even and with its odd places doubled.
    sums = [[0], [0]]
    for place, digit in enumerate(digits):
        twice = 2 * digit - (9 if digit > 4 else 0)
        for parity in (0, 1):
            sums[parity].append(sums[parity][-1] + (twice if place % 2 == parity else digit))
    hidden, reach = [], 0
    for first, digit in enumerate(digits):
        for end in range(first + 13, min(first + 19, len(digits)) + 1):
            if digit not in (0, 1, 7) and not (sums[end % 2][end] - sums[end % 2][first]) % 10:
                reach = max(reach, end)
        hidden.append(first < reach)
    for at, place in enumerate(places):
        if hidden[at] and len(hidden[at : at + 5]) == 5 and all(hidden[at : at + 5]):
            signs[place] = "*"
    return "".join(signs)


def fault(error):
    """What the log says of an error: where it came from, and its text."""
    trace, places = error.__traceback__, []
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return {"error": type(error).__name__, "detail": str(error), "at": places}


def log(level, message, context, **fields):
    """One JSON object in one line, without card numbers."""
    request = getattr(context, "aws_request_id", None)
    line = {"level": level, "message": message, "request_id": request, **fields}
    print(json.dumps(masked(line), default=str), flush=True)
