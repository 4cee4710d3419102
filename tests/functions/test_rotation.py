"""The rotation of the database password, with a server that remembers it."""

import base64
import hashlib
import hmac
import json
import unittest
import uuid
from unittest import mock

import boto3
from server import Server
from support import Context, FunctionTest

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
INITIAL = "the-first-password"


class RotationTest(FunctionTest):
    name = "rotation"
    user = 'db"admin'

    def setUp(self):
        super().setUp()
        self.server = Server(self.user, INITIAL)
        self.addCleanup(self.server.close)
        self.client = boto3.client("secretsmanager")
        self.value = {
            "username": self.user,
            "password": INITIAL,
            "engine": "postgres",
            "host": "127.0.0.1",
            "port": self.server.port,
            "dbname": "customerdb",
            "dbClusterIdentifier": "payment",
        }
        text = json.dumps(self.value)
        made = self.client.create_secret(Name="credentials", SecretString=text)
        self.secret, self.first = made["ARN"], made["VersionId"]
        self.token = str(uuid.uuid4())
        self.stages = {self.first: ["AWSCURRENT"], self.token: ["AWSPENDING"]}
        self.values = {self.first: text}
        self.is_enabled = True
        self.enterContext(mock.patch.object(boto3, "client", lambda name: Manager(self)))
        self.postgres = self.function.Connection.__init__.__globals__

    def step(self, name, token=None):
        event = {"Step": name, "SecretId": self.secret, "ClientRequestToken": token or self.token}
        return self.function.handler(event, Context())

    def rotate(self, token=None, times=1):
        for name in STEPS:
            for _ in range(times):
                self.step(name, token)

    def pending(self):
        return json.loads(self.values[self.token])

    def current(self):
        [name] = [name for name, on in self.stages.items() if "AWSCURRENT" in on]
        return json.loads(self.values[name])

    def log_in(self, password, **changes):
        arguments = {"host": "127.0.0.1", "port": self.server.port, "user": self.user}
        arguments |= {"password": password, "database": "customerdb"}
        with self.function.Connection(**arguments | changes) as connection:
            connection.run("SELECT 1")


class Manager:
    """Secrets Manager, as its documentation describes the stages of versions.

    moto lets a rotation only be started with a function that it runs itself, in a container; the
    secret's text and the errors come from moto all the same.
    """

    def __init__(self, test):
        self.test = test
        self.exceptions = test.client.exceptions

    def describe_secret(self, SecretId):
        found = self.test.client.describe_secret(SecretId=SecretId)
        stages = {name: list(on) for name, on in self.test.stages.items()}
        return found | {"RotationEnabled": self.test.is_enabled, "VersionIdsToStages": stages}

    def get_secret_value(self, SecretId, VersionStage, VersionId=None):
        for name, on in self.test.stages.items():
            if VersionStage in on and VersionId in (None, name) and name in self.test.values:
                return {"SecretString": self.test.values[name]}
        return self.test.client.get_secret_value(SecretId=SecretId, VersionId=str(uuid.uuid4()))

    def put_secret_value(self, SecretId, ClientRequestToken, SecretString, VersionStages):
        known = self.test.values.setdefault(ClientRequestToken, SecretString)
        assert known == SecretString, "a version never changes"
        assert VersionStages == ["AWSPENDING"]

    def update_secret_version_stage(
        self, SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId
    ):
        assert VersionStage == "AWSCURRENT"
        stages = self.test.stages
        assert "AWSCURRENT" in stages[RemoveFromVersionId]
        for on in stages.values():
            if "AWSPREVIOUS" in on:
                on.remove("AWSPREVIOUS")
        stages[RemoveFromVersionId] = ["AWSPREVIOUS"]
        stages[MoveToVersionId].append("AWSCURRENT")


class Rotation(RotationTest):
    def test_a_rotation_changes_the_password_everywhere(self):
        self.rotate()
        new = self.current()
        self.assertNotEqual(new["password"], INITIAL)
        self.assertEqual(new | {"password": INITIAL}, self.value)
        self.log_in(new["password"])
        with self.assertRaises(self.function.LoginRefused):
            self.log_in(INITIAL)
        self.assertEqual(self.stages[self.first], ["AWSPREVIOUS"])

    def test_every_step_may_come_again(self):
        self.rotate(times=3)
        self.assertEqual(len(self.server.altered), 1)
        self.rotate()
        self.log_in(self.current()["password"])
        self.assertEqual(self.stages[self.token], ["AWSPENDING", "AWSCURRENT"])

    def test_one_rotation_after_the_other(self):
        for _ in range(5):
            self.rotate()
            self.log_in(self.current()["password"])
            self.stages[self.token] = ["AWSCURRENT"]
            self.token = str(uuid.uuid4())
            self.stages[self.token] = ["AWSPENDING"]
        self.assertEqual(len(self.server.altered), 5)

    def test_a_rotation_that_broke_off_anywhere_is_completed(self):
        for done in range(len(STEPS)):
            for name in STEPS[:done]:
                self.step(name)
            self.rotate()
            self.log_in(self.current()["password"])
            self.stages[self.token] = ["AWSCURRENT"]
            self.token = str(uuid.uuid4())
            self.stages[self.token] = ["AWSPENDING"]

    def test_the_previous_password_helps_when_the_current_is_refused(self):
        self.rotate()
        # As if the database had been restored to before the rotation.
        self.server.role = self.postgres_form(INITIAL)
        self.stages[self.token] = ["AWSCURRENT"]
        self.token = str(uuid.uuid4())
        self.stages[self.token] = ["AWSPENDING"]
        self.rotate()
        self.log_in(self.current()["password"])

    @staticmethod
    def postgres_form(password):
        from server import stored_form

        return stored_form(password)

    def test_without_any_right_password_nothing_changes(self):
        self.step("createSecret")
        self.server.role = self.postgres_form("of somebody else")
        with self.assertRaisesRegex(self.function.LoginRefused, "neither the pending"):
            self.step("setSecret")
        self.assertEqual(self.server.altered, [])
        with self.assertRaises(self.function.LoginRefused):
            self.step("testSecret")

    def test_a_pending_version_must_be_of_the_same_user_and_host(self):
        for name in ["host", "username"]:
            self.values[self.token] = json.dumps(self.value | {name: "127.0.0.2", "password": "x"})
            with self.assertRaises((ValueError, OSError)):
                self.step("setSecret")
        self.assertEqual(self.server.altered, [])

    def test_versions_are_checked_before_anything_happens(self):
        unknown = str(uuid.uuid4())
        self.stages["unstaged"] = []
        for change, token, said in [
            (False, self.token, "not enabled"),
            (True, unknown, "no such version"),
            (True, "unstaged", "not staged"),
        ]:
            self.is_enabled = change
            for name in STEPS:
                with self.assertRaisesRegex(ValueError, said):
                    self.step(name, token)
        self.is_enabled = True
        with self.assertRaisesRegex(ValueError, "no step"):
            self.step("eatSecret")
        # The current version is finished, whatever the step.
        self.rotate(self.first)
        self.assertEqual((self.server.logins, self.values.keys()), (0, {self.first}))

    def test_a_secret_must_be_complete_and_of_postgres(self):
        for change, said in [
            ({"host": None}, "no host"),
            ({"password": ""}, "no password"),
            ({"engine": "mysql"}, "PostgreSQL"),
        ]:
            self.values[self.first] = json.dumps(self.value | change)
            with self.assertRaisesRegex(ValueError, said):
                self.step("createSecret")

    def test_passwords_have_nothing_that_aurora_refuses(self):
        seen = set()
        for _ in range(300):
            self.values.pop(self.token, None)
            self.step("createSecret")
            password = self.pending()["password"]
            self.assertEqual(len(password), 32)
            self.assertFalse(set("/@\"' \\") & set(password))
            self.assertTrue(password.isascii() and password.isprintable())
            seen.add(password)
        self.assertEqual(len(seen), 300)

    def test_no_password_is_logged_or_sent(self):
        self.rotate()
        self.lines()
        for password in [INITIAL, self.current()["password"]]:
            self.assertNotIn(password, self.log.getvalue())
            self.assertNotIn(password, "".join(self.server.statements))

    def test_an_error_of_the_database_fails_the_step(self):
        self.step("createSecret")
        self.server.fails = "42501"
        with self.assertRaisesRegex(Exception, "42501"):
            self.step("setSecret")
        self.assertEqual(self.lines()[-1]["level"], "ERROR")
        self.server.fails = None
        self.rotate()


class Protocol(RotationTest):
    def expect_failure(self, said, **changes):
        with self.assertRaisesRegex(Exception, said) as caught:
            self.log_in(INITIAL, **changes)
        self.assertNotIsInstance(caught.exception, self.function.LoginRefused)

    def test_a_wrong_password_is_told_from_everything_else(self):
        self.log_in(INITIAL)
        for arguments in [{"password": "wrong"}, {"password": INITIAL, "user": "nobody"}]:
            with self.assertRaises(self.function.LoginRefused):
                self.log_in(**arguments)
        self.expect_failure("3D000", database="other")

    def test_nothing_is_said_without_tls(self):
        self.server.has_tls = False
        self.expect_failure("TLS")

    def test_a_server_that_asks_for_no_password_proves_nothing(self):
        self.server.method = "trust"
        self.expect_failure("does not ask")
        self.server.method = "SCRAM-SHA-256-PLUS"
        self.expect_failure("does not ask")

    def test_a_server_must_know_the_password(self):
        self.server.lies = True
        self.expect_failure("could not prove")

    def test_the_iterations_have_limits(self):
        for rounds in [1, 4095, 10**9]:
            self.server.rounds = rounds
            self.expect_failure("iterations")

    def test_a_ca_file_verifies_the_server(self):
        self.log_in(INITIAL, ca=str(self.server.ca))
        other = Server(self.user, INITIAL)
        self.addCleanup(other.close)
        self.expect_failure("CERTIFICATE_VERIFY_FAILED", ca=str(other.ca))
        # The certificate is for another name.
        self.expect_failure("CERTIFICATE_VERIFY_FAILED", ca=str(self.server.ca), host="localhost")
        with mock.patch.dict("os.environ", {"DATABASE_CA": str(other.ca)}):
            with self.assertRaisesRegex(Exception, "CERTIFICATE_VERIFY_FAILED"):
                self.rotate()

    def test_a_server_that_hangs_up_is_an_error(self):
        self.server.close()
        with self.assertRaises(OSError):
            self.log_in(INITIAL)

    def test_names_and_texts_are_quoted(self):
        identifier, literal = self.postgres["identifier"], self.postgres["literal"]
        self.assertEqual(identifier('a"b; --'), '"a""b; --"')
        self.assertEqual(literal("o'clock"), "'o''clock'")
        self.assertEqual(literal("\\'"), " E'\\\\'''")
        for quote in [identifier, literal]:
            with self.assertRaises(ValueError):
                quote("a\0b")
        with self.assertRaises(ValueError):
            identifier("")

    def test_the_example_of_the_standard_comes_out(self):
        # RFC 7677, section 3.
        salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
        client_key, stored_key, _ = self.postgres["keys"]("pencil", salt, 4096)
        signed = (
            b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        )
        signature = hmac.digest(stored_key, signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        wanted = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        self.assertEqual(base64.b64encode(proof).decode(), wanted)
        self.assertEqual(hashlib.sha256(client_key).digest(), stored_key)


if __name__ == "__main__":
    unittest.main()
