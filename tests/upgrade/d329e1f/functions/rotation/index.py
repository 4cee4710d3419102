"""Rotates the password of one database user, in the four steps of Secrets Manager.

The user changes its own password, so nobody else's credentials are needed. Each step may come any
number of times: it looks at what is already so and does what is left. No password is logged, and the
database gets a SCRAM verifier instead of the password, so its log has none either.
"""

import json
import os
import re
import secrets
import string

import boto3
from postgres import Connection, LoginRefused, identifier, literal, verifier

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
        client = boto3.client("secretsmanager")
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
            boto3.client("ecs").update_service(
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
        ca=os.environ.get("DATABASE_CA"),
    )


# The functions below stand in several of the functions, in the same words.


def fault(error):
    """What the log says of an error: where it came from, and its text without card numbers."""
    trace, places = error.__traceback__, []
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    text = re.sub(r"(?:[0-9][ -]?){13,}", "[digits] ", str(error))
    return {"error": type(error).__name__, "detail": text, "at": places}


def log(level, message, context, **fields):
    """One JSON object in one line."""
    request = getattr(context, "aws_request_id", None)
    line = {"level": level, "message": message, "request_id": request, **fields}
    print(json.dumps(line, default=str), flush=True)
