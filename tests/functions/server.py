"""A PostgreSQL server for the tests: TLS, SCRAM-SHA-256, ALTER ROLE, one database role.

It shares no code with the client and checks what a real server checks.
"""

import base64
import contextlib
import datetime
import hashlib
import hmac
import ipaddress
import os
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ALTER = re.compile(
    r'ALTER ROLE "((?:[^"]|"")+)" WITH PASSWORD '
    r"'(SCRAM-SHA-256\$(\d+):([^$']+)\$([^:']+):([^']+))'"
)


class Authority:
    """A certificate authority of the tests; `path` is what a client trusts."""

    def __init__(self, start=datetime.timedelta(-1), end=datetime.timedelta(1)):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "authority.pem"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = named(f"authority {x509.random_serial_number()}")
        builder = dated(start, end).subject_name(self.name).issuer_name(self.name)
        builder = builder.public_key(self.key.public_key())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = builder.add_extension(constraints, critical=True).sign(self.key, hashes.SHA256())
        self.path.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def close(self):
        self.folder.cleanup()

    def sign(self, start=datetime.timedelta(-1), end=datetime.timedelta(1)):
        """A certificate for 127.0.0.1, in one file with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = dated(start, end).subject_name(named("database")).issuer_name(self.name)
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.public_key(key.public_key()).add_extension(alternative, critical=False)
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        path = Path(self.folder.name) / f"{x509.random_serial_number()}.pem"
        made = builder.sign(self.key, hashes.SHA256()).public_bytes(encoding)
        path.write_bytes(made + key.private_bytes(encoding, form, serialization.NoEncryption()))
        return path


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def dated(start, end):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().serial_number(x509.random_serial_number())
    return builder.not_valid_before(now + start).not_valid_after(now + end)


def stored_form(password, rounds=4096):
    """Salt, rounds, stored key and server key of a password."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    server_key = hmac.new(salted, b"Server Key", "sha256").digest()
    return salt, rounds, hashlib.sha256(client_key).digest(), server_key


class Server:
    """Listens on a free port of the loopback until it is closed."""

    def __init__(self, user, password, database="customerdb"):
        self.user, self.database = user, database
        self.role = stored_form(password)
        self.logins, self.statements, self.altered = 0, [], []
        # What a test may spoil.
        self.has_tls, self.method, self.lies, self.rounds = True, "SCRAM-SHA-256", False, None
        self.fails, self.delay = None, 0
        self.authority = Authority()
        self.show(self.authority.sign())
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def show(self, certificate):
        """From now on it shows this certificate."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)

    def close(self):
        # Closing alone would leave the thread waiting in accept.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.authority.close()

    def listen(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                connection.settimeout(5)
                self.serve(connection)
            except (OSError, EOFError):
                pass
            finally:
                connection.close()

    def serve(self, plain):
        if exactly(plain, 8) != struct.pack("!ii", 8, 80877103):
            return
        if not self.has_tls:
            plain.sendall(b"N")
            return
        time.sleep(self.delay)
        plain.sendall(b"S")
        with self.context.wrap_socket(plain, server_side=True) as connection:
            size = struct.unpack("!i", exactly(connection, 4))[0]
            body = exactly(connection, size - 4)
            assert body[:4] == struct.pack("!i", 196608)
            parts = body[4:].rstrip(b"\0").split(b"\0")
            settings = dict(zip(parts[::2], parts[1::2]))
            if self.authenticate(connection, settings):
                self.logins += 1
                self.query(connection)

    def authenticate(self, connection, settings):
        if self.method == "trust":
            send(connection, b"R", struct.pack("!i", 0))
            send(connection, b"Z", b"I")
            return True
        send(connection, b"R", struct.pack("!i", 10) + self.method.encode() + b"\0\0")
        kind, body = receive(connection)
        name, _, rest = body.partition(b"\0")
        assert kind == b"p" and name == b"SCRAM-SHA-256"
        first = rest[4:]
        assert len(first) == struct.unpack("!i", rest[:4])[0] and first.startswith(b"n,,n=,r=")
        bare = first[3:]
        salt, rounds, stored_key, server_key = self.role
        nonce = bare.split(b"r=")[1] + base64.b64encode(os.urandom(18))
        rounds = self.rounds or rounds
        challenge = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), rounds)
        send(connection, b"R", struct.pack("!i", 11) + challenge)
        kind, final = receive(connection)
        without, _, proof = final.rpartition(b",p=")
        signed = bare + b"," + challenge + b"," + without
        signature = hmac.new(stored_key, signed, "sha256").digest()
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        is_right = hashlib.sha256(key).digest() == stored_key
        is_right = is_right and without == b"c=biws,r=" + nonce
        is_right = is_right and settings[b"user"].decode() == self.user
        if not is_right:
            refuse(connection, "28P01", "password authentication failed")
            return False
        if settings[b"database"].decode() != self.database:
            refuse(connection, "3D000", "database does not exist")
            return False
        proof = hmac.new(b"x" if self.lies else server_key, signed, "sha256").digest()
        send(connection, b"R", struct.pack("!i", 12) + b"v=" + base64.b64encode(proof))
        send(connection, b"R", struct.pack("!i", 0))
        send(connection, b"S", b"server_version\x0015.8\0")
        send(connection, b"K", bytes(8))
        send(connection, b"Z", b"I")
        return True

    def query(self, connection):
        while True:
            kind, body = receive(connection)
            if kind == b"X":
                return
            assert kind == b"Q" and body.endswith(b"\0")
            statement = body[:-1].decode()
            self.statements.append(statement)
            change = ALTER.fullmatch(statement)
            if self.fails:
                refuse(connection, self.fails, "no")
            elif statement == "SELECT 1":
                send(connection, b"T", bytes(2))
                send(connection, b"D", bytes(2))
                send(connection, b"C", b"SELECT 1\0")
            elif change and change[1].replace('""', '"') == self.user:
                salt, stored, server = (base64.b64decode(change[place]) for place in (4, 5, 6))
                assert len(stored) == len(server) == 32
                self.role = salt, int(change[3]), stored, server
                self.altered.append(change[1])
                send(connection, b"C", b"ALTER ROLE\0")
            else:
                refuse(connection, "42601", "syntax error")
            send(connection, b"Z", b"I")


def exactly(connection, count):
    found = b""
    while len(found) < count:
        more = connection.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def receive(connection):
    kind = exactly(connection, 1)
    size = struct.unpack("!i", exactly(connection, 4))[0]
    return kind, exactly(connection, size - 4)


def send(connection, kind, body):
    connection.sendall(kind + struct.pack("!i", len(body) + 4) + body)


def refuse(connection, state, message):
    fields = b"SERROR\0C" + state.encode() + b"\0M" + message.encode() + b"\0\0"
    send(connection, b"E", fields)
