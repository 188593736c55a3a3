"""Admission webhooks that a test serves on this machine.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cluster.local.pki import CertificatePlan, write_pki

Manifest = dict[str, Any]
# Of an AdmissionReview that asks, the one that answers.
Answer = Callable[[Manifest], Manifest]


@contextmanager
def served(answer: Answer, address: str, folder: Path) -> Iterator[Manifest]:
    """The `clientConfig` of a webhook that answers while the block runs, each request in a thread of its own.

    `address` is where the API server finds this machine, `folder` takes the certificate.
    """
    write_pki(folder, [CertificatePlan("webhook", "webhook", names=(address,))])
    with ThreadingHTTPServer((address, 0), _handler(answer)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "webhook.crt", folder / "webhook.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        try:
            yield {"url": f"https://{address}:{server.server_address[1]}/", "caBundle": authority}
        finally:
            server.shutdown()


def response(review: Manifest, **verdict: Any) -> Manifest:
    """The AdmissionReview that answers another one."""
    about = {key: review[key] for key in ("apiVersion", "kind")}
    return about | {"response": {"uid": review["request"]["uid"], **verdict}}


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(answer(review)).encode()
            # The API server asks no more for somebody who is dead.
            with suppress(OSError):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
            """Nobody reads it."""

    return Handler
