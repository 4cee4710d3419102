"""As much of a PostgreSQL client as changing a password needs, in the standard library.

Always over TLS, always with SCRAM-SHA-256 (RFC 5802 and 7677, without channel binding), simple
queries without results. Protocol: version 3.0, PostgreSQL manual, "Frontend/Backend Protocol".
"""

import base64
import hashlib
import hmac
import os
import secrets
import socket
import ssl
import struct

PROTOCOL = 196608
SSL_REQUEST = 80877103
ITERATIONS = 4096
# More would be an attack on our processor, less on the password.
ITERATIONS_ALLOWED = range(4096, 1_000_001)
# A database that paused itself takes some 15 seconds to wake up.
SECONDS = 25
LONGEST = 1 << 20


class PostgresError(Exception):
    """The database or the connection to it did not do what it should."""


class ServerError(PostgresError):
    """The database reports an error; its SQLSTATE is in the text."""


class LoginRefused(ServerError):
    """The database does not accept this user with this password."""


class Connection:
    """A session of one user. Use it as a context manager."""

    def __init__(self, host, port, user, password, database, ca=None):
        self.socket = encrypted(host, port, ca)
        try:
            self.start(user, database)
            self.log_in(password)
            while self.receive()[0] != b"Z":
                pass
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send(b"X", b"")
        except OSError:
            pass
        self.socket.close()

    def run(self, statement):
        """Runs one statement; its rows are dropped."""
        self.send(b"Q", text(statement))
        failed = None
        while True:
            try:
                if self.receive()[0] == b"Z":
                    break
            except ServerError as error:
                failed = error
        if failed:
            raise failed

    def start(self, user, database):
        """The first message, which has no type."""
        body = struct.pack("!i", PROTOCOL)
        for item in ("user", user, "database", database, "application_name", "rotation", ""):
            body += text(item)
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)

    def log_in(self, password):
        """Proves that we know the password, and lets the server prove that it does."""
        kind, body = self.receive()
        names = body[4:].split(b"\0")
        if kind != b"R" or code(body) != 10 or b"SCRAM-SHA-256" not in names:
            # A server that asks for nothing would accept any password, and so would tell us nothing.
            raise PostgresError("the database does not ask for a password by SCRAM-SHA-256")
        nonce = secrets.token_urlsafe(24)
        bare = f"n=,r={nonce}".encode()
        first = b"n,," + bare
        name = b"SCRAM-SHA-256\0" + struct.pack("!i", len(first))
        self.send(b"p", name + first)

        challenge = self.expect(11)
        fields = attributes(challenge)
        combined, salt, rounds = (fields.get(key, "") for key in "rsi")
        if not combined.startswith(nonce) or combined == nonce:
            raise PostgresError("the database did not answer to our nonce")
        if not rounds.isdecimal() or int(rounds) not in ITERATIONS_ALLOWED:
            raise PostgresError("the database asks for an unusual number of iterations")
        client_key, stored_key, server_key = keys(password, decoded(salt), int(rounds))
        final = f"c=biws,r={combined}".encode()
        signed = b",".join([bare, challenge, final])
        signature = hmac.digest(stored_key, signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.send(b"p", final + b",p=" + base64.b64encode(proof))

        theirs = decoded(attributes(self.expect(12)).get("v", ""))
        if not hmac.compare_digest(theirs, hmac.digest(server_key, signed, "sha256")):
            raise PostgresError("the database could not prove that it knows the password")
        self.expect(0)

    def expect(self, wanted):
        """The content of the next authentication message, which must be this one."""
        kind, body = self.receive()
        if kind != b"R" or code(body) != wanted:
            raise PostgresError("the database left the protocol during the login")
        return body[4:]

    def send(self, kind, body):
        """Sends one message."""
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def receive(self):
        """The next message: its type and its content. An error of the server is raised."""
        kind, size = struct.unpack("!ci", self.exactly(5))
        if not 4 <= size <= LONGEST:
            raise PostgresError("the database sent a message of impossible length")
        body = self.exactly(size - 4)
        if kind == b"E":
            raise server_error(body)
        return kind, body

    def exactly(self, count):
        """So many bytes."""
        found = b""
        while len(found) < count:
            more = self.socket.recv(count - len(found))
            if not more:
                raise PostgresError("the database closed the connection")
            found += more
        return found


def server_error(body):
    """An ErrorResponse. Class 28 means that the login was refused."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    state, message = fields.get(b"C", ""), fields.get(b"M", "")
    kind = LoginRefused if state.startswith("28") else ServerError
    return kind(f"{state} {message}")


def encrypted(host, port, ca):
    """A TLS connection. With a CA file the server's certificate and name are verified; without one
    the connection is encrypted, but a server that only claims to be the database is not noticed."""
    if ca:
        context = ssl.create_default_context(cafile=ca)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection((host, port), timeout=SECONDS)
    try:
        plain.sendall(struct.pack("!ii", 8, SSL_REQUEST))
        # One byte only: whatever came with it would have come without encryption.
        if plain.recv(1) != b"S":
            raise PostgresError("the database does not offer TLS")
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def keys(password, salt, rounds):
    """The client key, the stored key and the server key of RFC 5802."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return client_key, hashlib.sha256(client_key).digest(), server_key


def verifier(password):
    """What PostgreSQL stores of a password, made here so that the password itself is never sent."""
    salt = os.urandom(16)
    _, stored_key, server_key = keys(password, salt, ITERATIONS)
    salt, stored, server = (base64.b64encode(x).decode() for x in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"


def identifier(name):
    """A name as SQL."""
    if not name or "\0" in name:
        raise ValueError("a name in SQL has at least one character and no zero byte")
    return '"' + name.replace('"', '""') + '"'


def literal(value):
    """A text as SQL, whatever `standard_conforming_strings` says."""
    if "\0" in value:
        raise ValueError("a text in SQL has no zero byte")
    quoted = value.replace("'", "''").replace("\\", "\\\\")
    return f" E'{quoted}'" if "\\" in value else f"'{quoted}'"


def text(value):
    """A text in a message, which a zero byte ends."""
    if "\0" in value:
        raise ValueError("a text for PostgreSQL has no zero byte")
    return value.encode() + b"\0"


def code(body):
    """The number at the start of an authentication message."""
    return struct.unpack("!i", body[:4])[0] if len(body) >= 4 else None


def attributes(message):
    """The `name=value` pairs of a SCRAM message."""
    pairs = message.decode("utf-8", "replace").split(",")
    return {pair[:1]: pair[2:] for pair in pairs if pair[1:2] == "="}


def decoded(value):
    """Base64, strictly."""
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise PostgresError("the database sent broken Base64") from None
