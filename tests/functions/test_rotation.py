"""The rotation of the database password, with a server that remembers it."""

import base64
import hashlib
import hmac
import json
import os
import ssl
import unittest
import uuid
from datetime import timedelta
from unittest import mock

import boto3
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends
from cryptography import x509
from server import Authority, Server, stored_form
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
        ca = {"DATABASE_CA": str(self.server.authority.path)}
        self.enterContext(mock.patch.dict("os.environ", ca))
        self.value = {
            "username": self.user,
            "password": INITIAL,
            "engine": "postgres",
            "host": "127.0.0.1",
            "port": self.server.port,
            "dbname": "customerdb",
            "dbClusterIdentifier": "payment",
        }
        self.client = boto3.client("secretsmanager")
        text = json.dumps(self.value)
        made = self.client.create_secret(Name="credentials", SecretString=text)
        self.secret, self.first = made["ARN"], made["VersionId"]
        # moto starts a rotation only with a function that it runs itself, so the test does what
        # RotateSecret does before it calls the function.
        self.state = secretsmanager_backends[ACCOUNT_ID]["us-east-1"].secrets["credentials"]
        self.state.rotation_enabled = True
        self.state.rotation_requested = True
        self.stage()
        self.postgres = self.function.Connection.__init__.__globals__

    def stage(self):
        """A new version without a value, staged as pending."""
        self.token = str(uuid.uuid4())
        version = {"createdate": 0, "version_id": self.token, "version_stages": ["AWSPENDING"]}
        self.state.remove_version_stages_from_old_versions(["AWSPENDING"])
        self.state.versions[self.token] = version

    def stages(self):
        return self.client.describe_secret(SecretId=self.secret)["VersionIdsToStages"]

    def value_of(self, stage):
        found = self.client.get_secret_value(SecretId=self.secret, VersionStage=stage)
        return json.loads(found["SecretString"])

    def overwrite(self, token, value):
        """Changes a version, which nobody can on AWS."""
        self.state.versions[token]["secret_string"] = json.dumps(value)

    def step(self, name, token=None):
        event = {"Step": name, "SecretId": self.secret, "ClientRequestToken": token or self.token}
        return self.function.handler(event, Context())

    def rotate(self, token=None, times=1):
        for name in STEPS:
            for _ in range(times):
                self.step(name, token)

    def log_in(self, password, **changes):
        arguments = {"host": "127.0.0.1", "port": self.server.port, "user": self.user}
        arguments |= {"password": password, "database": "customerdb"}
        arguments |= {"ca": self.server.authority.path}
        with self.function.Connection(**arguments | changes) as connection:
            connection.run("SELECT 1")


class Rotation(RotationTest):
    def test_a_rotation_changes_the_password_everywhere(self):
        self.rotate()
        new = self.value_of("AWSCURRENT")
        self.assertNotEqual(new["password"], INITIAL)
        self.assertEqual(new | {"password": INITIAL}, self.value)
        self.log_in(new["password"])
        with self.assertRaises(self.function.LoginRefused):
            self.log_in(INITIAL)
        self.assertEqual(self.stages()[self.first], ["AWSPREVIOUS"])

    def test_every_step_may_come_again(self):
        self.rotate(times=3)
        self.assertEqual(len(self.server.altered), 1)
        self.rotate()
        self.log_in(self.value_of("AWSCURRENT")["password"])
        self.assertIn("AWSCURRENT", self.stages()[self.token])

    def test_one_rotation_after_the_other(self):
        for _ in range(5):
            self.rotate()
            self.log_in(self.value_of("AWSCURRENT")["password"])
            self.stage()
        self.assertEqual(len(self.server.altered), 5)

    def test_a_rotation_that_broke_off_anywhere_is_completed(self):
        for done in range(len(STEPS)):
            for name in STEPS[:done]:
                self.step(name)
            self.rotate()
            self.log_in(self.value_of("AWSCURRENT")["password"])
            self.stage()

    def test_the_previous_password_helps_when_the_current_is_refused(self):
        self.rotate()
        # As if the database had been restored to before the rotation.
        self.server.role = stored_form(INITIAL)
        self.stage()
        self.rotate()
        self.log_in(self.value_of("AWSCURRENT")["password"])

    def test_without_any_right_password_nothing_changes(self):
        self.step("createSecret")
        self.server.role = stored_form("of somebody else")
        with self.assertRaisesRegex(self.function.LoginRefused, "neither the pending"):
            self.step("setSecret")
        self.assertEqual(self.server.altered, [])
        with self.assertRaises(self.function.LoginRefused):
            self.step("testSecret")

    def test_a_pending_version_must_be_of_the_same_user_and_host(self):
        for name in ["host", "username"]:
            self.overwrite(self.token, self.value | {name: "127.0.0.2", "password": "x"})
            with self.assertRaises((ValueError, OSError)):
                self.step("setSecret")
        self.assertEqual(self.server.altered, [])

    def test_versions_are_checked_before_anything_happens(self):
        unknown = str(uuid.uuid4())
        self.state.versions["unstaged"] = {"version_stages": ["OTHER"]}
        for change, token, said in [
            (False, self.token, "not enabled"),
            (True, unknown, "no such version"),
            (True, "unstaged", "not staged"),
        ]:
            self.state.rotation_enabled = change
            for name in STEPS:
                with self.assertRaisesRegex(ValueError, said):
                    self.step(name, token)
        self.state.rotation_enabled = True
        with self.assertRaisesRegex(ValueError, "no step"):
            self.step("eatSecret")
        # The current version is finished, whatever the step.
        self.rotate(self.first)
        self.assertEqual(self.server.logins, 0)
        self.assertNotIn("secret_string", self.state.versions[self.token])

    def test_a_secret_must_be_complete_and_of_postgres(self):
        for change, said in [
            ({"host": None}, "no host"),
            ({"password": ""}, "no password"),
            ({"engine": "mysql"}, "PostgreSQL"),
        ]:
            self.overwrite(self.first, self.value | change)
            with self.assertRaisesRegex(ValueError, said):
                self.step("createSecret")

    def test_passwords_have_nothing_that_aurora_refuses(self):
        seen = set()
        for _ in range(60):
            self.stage()
            self.step("createSecret")
            password = self.value_of("AWSPENDING")["password"]
            self.assertEqual(len(password), 32)
            self.assertFalse(set("/@\"' \\") & set(password))
            self.assertTrue(password.isascii() and password.isprintable())
            seen.add(password)
        self.assertEqual(len(seen), 60)

    def test_no_password_is_logged_or_sent(self):
        self.rotate()
        self.lines()
        for password in [INITIAL, self.value_of("AWSCURRENT")["password"]]:
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


class Restart(RotationTest):
    environment = {"RESTART_SERVICES": "arn:aws:ecs:us-east-1:123456789012:service/payments/api,"}

    def setUp(self):
        super().setUp()
        self.ecs = boto3.client("ecs")
        self.ecs.create_cluster(clusterName="payments")
        container = {"name": "api", "image": "api", "memory": 64}
        self.ecs.register_task_definition(family="api", containerDefinitions=[container])
        self.ecs.create_service(
            cluster="payments", serviceName="api", taskDefinition="api", desiredCount=1
        )

    def deployment(self):
        found = self.ecs.describe_services(cluster="payments", services=["api"])
        return found["services"][0]["deployments"][0]["id"]

    def test_services_get_new_tasks_once_the_password_is_current(self):
        before = self.deployment()
        for name in STEPS[:3]:
            self.step(name)
        self.assertEqual(self.deployment(), before)
        self.step("finishSecret")
        after = self.deployment()
        self.assertNotEqual(after, before)
        # Whatever became of the first attempt, the repeated step restarts again.
        self.step("finishSecret")
        self.assertNotEqual(self.deployment(), after)

    def test_a_service_that_cannot_be_restarted_fails_the_rotation(self):
        unknown = self.environment["RESTART_SERVICES"].replace("/api", "/other")
        with mock.patch.dict("os.environ", {"RESTART_SERVICES": unknown}):
            with self.assertRaises(self.ecs.exceptions.ServiceNotFoundException):
                self.rotate()
        self.assertEqual(self.stages()[self.first], ["AWSPREVIOUS"])


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

    def test_a_database_that_has_to_wake_up_is_waited_for(self):
        self.server.delay = 6
        self.log_in(INITIAL)

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

    def test_the_server_must_be_the_database(self):
        self.log_in(INITIAL)
        # Another authority, another name, a time that is over, one that has not begun.
        other = Authority()
        self.addCleanup(other.close)
        self.expect_failure("unable to get local issuer", ca=other.path)
        self.expect_failure("Hostname mismatch", host="localhost")
        for dates, said in [((-3, -1), "has expired"), ((1, 3), "not yet valid")]:
            self.server.show(self.server.authority.sign(*map(timedelta, dates)))
            self.expect_failure(said)
        # An authority that is over signs for nobody.
        over = Authority(timedelta(-3), timedelta(-1))
        self.addCleanup(over.close)
        self.server.show(over.sign())
        self.expect_failure("has expired", ca=over.path)
        self.assertEqual(self.server.logins, 1)

    def test_a_rotation_verifies_with_the_roots_of_rds_unless_told_otherwise(self):
        for environment in [{}, {"DATABASE_CA": ""}]:
            with mock.patch.dict("os.environ", environment):
                if not environment:
                    del os.environ["DATABASE_CA"]
                self.step("createSecret")
                with self.assertRaisesRegex(Exception, "CERTIFICATE_VERIFY_FAILED"):
                    self.step("setSecret")
        self.assertEqual((self.server.logins, self.server.altered), (0, []))

    def test_the_roots_of_rds_are_those_that_aws_publishes(self):
        whole = self.function.ROOTS.read_bytes()
        # https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
        wanted = "e5bb2084ccf45087bda1c9bffdea0eb15ee67f0b91646106e466714f9de3c7e3"
        self.assertEqual(hashlib.sha256(whole).hexdigest(), wanted)
        roots = x509.load_pem_x509_certificates(whole)
        self.assertEqual(len(roots), 108)
        for root in roots:
            root.verify_directly_issued_by(root)
            self.assertIn("O=Amazon Web Services\\, Inc.", root.subject.rfc4514_string())
            self.assertGreater(root.not_valid_after_utc.year, 2060)
        names = str([root.subject for root in roots])
        for region in ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-southeast-2"]:
            self.assertIn(f"Amazon RDS {region} Root CA RSA2048 G1", names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=self.function.ROOTS)
        self.assertEqual(context.cert_store_stats()["x509_ca"], 108)

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
