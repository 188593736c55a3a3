"""SCRAM-SHA-256 verifiers, so that no password travels in an SQL statement, where the server might log it."""

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096


def verifier(password: str, *, salt: bytes | None = None) -> str:
    """What PostgreSQL stores for an ASCII password (RFC 5803); `CREATE ROLE … PASSWORD` takes it as it is."""
    if not password.isascii():
        raise ValueError("passwords of database roles must be ASCII")
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
