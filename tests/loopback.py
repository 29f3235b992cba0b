"""Real servers on loopback that misbehave on the wire, below what a scripted sandbox can do."""

import contextlib
import http.server
import json
import socket
import threading
import urllib.parse


class Wire:
    """A port of this machine. Its first connections meet the given troubles, the others `otherwise`.

    A trouble is a function that is given the connected socket, and closes it by returning.
    """

    def __init__(self, otherwise, *troubles, tls=None):
        self.connections = 0
        self.troubles = list(troubles)
        self._otherwise = otherwise
        self._tls = tls
        self._lock = threading.Lock()
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def url(self, scheme="http", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}/api/client"

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                trouble = self.troubles.pop(0) if self.troubles else self._otherwise
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection, trouble), name="wire", daemon=True).start()

    def _serve(self, connection, trouble):
        # What either side does to the other is the point: a broken connection is no error here.
        with contextlib.suppress(OSError), connection:
            if self._tls is None:
                trouble(connection)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as secured:
                    trouble(secured)
        with self._lock:
            self._open.discard(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Shut down first: it wakes the thread that waits in accept, which a mere close does not.
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def port_of(url):
    return urllib.parse.urlsplit(url).port


def read_head(connection):
    """The bytes up to and with the empty line, and what came behind it; nothing where the peer has gone."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return b"", b""
        received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def read_message(connection):
    """One whole request or answer that has a Content-Length, or no body; empty where the peer has gone."""
    head, body = read_head(connection)
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            while len(body) < int(value):
                chunk = connection.recv(65536)
                if not chunk:
                    return b""
                body += chunk
    return head + body


def pass_to(port, seen=None):
    """Hands requests on to a server of this machine, and its answers back; `seen` gets each request."""

    def hand_on(connection):
        with socket.create_connection(("127.0.0.1", port)) as server:
            while request := read_message(connection):
                if seen is not None:
                    seen.append(request)
                server.sendall(request)
                answer = read_message(server)
                if not answer:
                    return
                connection.sendall(answer)

    return hand_on


def tunnel(asked):
    """A forward proxy, as `HTTPS_PROXY` names one: connects where CONNECT says; `asked` gets the places."""

    def relay(source, target):
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def connect(connection):
        head, _ = read_head(connection)
        verb, place, *_ = head.decode().split()
        asked.append((verb, place, head.decode()))
        with socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2]))) as server:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=relay, args=(server, connection), daemon=True)
            back.start()
            relay(connection, server)
            back.join()

    return connect


class Judge:
    """A server that answers by what a request holds: `judge(events)` gives (status, body), a status, or None.

    None is 204. Of the contract's idempotency it keeps this: a key whose batch was accepted, or refused as
    such (400, 413, 422), gets that answer again.

    :ivar requests: events, key and body of each request, in the order of arrival.
    :ivar events: what was accepted, in that order, each batch once.
    :ivar most_at_once: the most requests that were being answered at a time.
    """

    def __init__(self, judge):
        self.requests = []
        self.events = []
        self.most_at_once = 0
        self._judge = judge
        self._answers = {}
        self._now = 0
        self.changed = threading.Condition()
        judging = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = judging._answer(body, self.headers["Idempotency-Key"])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, str(value))
                if status != 204:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # a client that hung up

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/client"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, body, key):
        events = json.loads(body)
        with self.changed:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self.requests.append({"events": events, "key": key, "body": body})
            known = self._answers.get(key)
            self.changed.notify_all()
        answer = known or self._judged(events)
        with self.changed:
            self._now -= 1
            if known is None and (answer[0] < 300 or answer[0] in {400, 413, 422}):
                self._answers[key] = answer
                self.events += events if answer[0] < 300 else []
            self.changed.notify_all()
        return answer

    def _judged(self, events):
        judged = self._judge(events)
        if judged is None or isinstance(judged, int):
            judged = (judged or 204, {})
        status, *headers, body = judged
        return status, headers[0] if headers else {}, b"" if status == 204 else json.dumps(body).encode()

    def wait_for(self, condition, timeout_seconds):
        """Wait until `condition()` holds; it is asked whenever a request comes or ends."""
        with self.changed:
            return self.changed.wait_for(condition, timeout_seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
