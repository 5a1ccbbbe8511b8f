"""A network between hosts and server: it can be slow, be cut, and be gone for a while."""

import contextlib
import socket
import threading
import time

PIECE = 64 << 10
BUFFER = 256 << 10
"""How much may lie on the way: by itself the system lets several MiB of each connection."""


class Network:
    """Passes connections on to the port that it leads to.

    `rate` is how many bytes of the hosts pass in a second, over all connections, and `rate_down` how many of the
    server; None is no limit. `passed` counts the bytes of the hosts.
    While `is_down` new connections are refused; those that are open stay until they are cut.
    While `is_frozen` nothing passes, and nobody is told.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.port = self._listener.getsockname()[1]
        self.leads_to = 0
        self.rate = None
        self.rate_down = None
        self.is_down = False
        self.is_frozen = False
        self.passed = 0
        self._lock = threading.Lock()
        self._free_at = {True: 0.0, False: 0.0}
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Cut all connections; tell how many ends there were."""
        with self._lock:
            doomed, self._open = self._open, set()
        for end in doomed:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        return len(doomed)

    def connections(self):
        """Tell how many ends of connections are open."""
        with self._lock:
            return len(self._open)

    def heal(self):
        """Be a good network again."""
        self.rate = self.rate_down = None
        self.is_down = self.is_frozen = False

    def close(self):
        """Take no more connections, and end those there are."""
        self._listener.close()
        self.heal()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.is_down:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self.leads_to))
            except OSError:  # the network is down, or the server is
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source, sink, is_upward):
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                while self.is_frozen:
                    time.sleep(0.02)
                self._take_turn(len(data), is_upward)
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _take_turn(self, size, is_upward):
        """Wait until so many bytes may pass."""
        with self._lock:
            self.passed += size * is_upward
            rate = self.rate if is_upward else self.rate_down
            if rate is None:
                return
            now = time.monotonic()
            begin = max(now, self._free_at[is_upward])
            self._free_at[is_upward] = begin + size / rate
        time.sleep(begin - now)


@contextlib.contextmanager
def network():
    """Give a network, and take it away at the end."""
    made = Network()
    try:
        yield made
    finally:
        made.close()
