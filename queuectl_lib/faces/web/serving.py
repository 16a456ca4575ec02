"""The server: a socket, threads, and the way from bytes to an answer and back."""

import os
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from queuectl_lib.faces.web import message, routes
from queuectl_lib.faces.web.site import Site
from queuectl_lib.words.errors import QueuectlError


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "queuectl"
    sys_version = ""

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            answer = routes.respond(message.request(self.command, self.path, self.headers, body), self.server.site)
        except QueuectlError as error:
            answer = message.refusal(error)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            answer = message.document({"error": "internal error"}, 500)
        self.send_response(answer.status)
        for name, text in dict(answer.headers, **{"Content-Type": answer.kind, "Content-Length": str(len(answer.body))}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, *words):
        pass


def serve(store, host, port, out):
    """Serve a store until Ctrl+C."""
    server = ThreadingHTTPServer((host, port), _Handler)
    server.site = Site(store.root, False, "", os.getcwd(), None)
    out.line("http://%s:%d/" % server.server_address[:2])
    out.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
