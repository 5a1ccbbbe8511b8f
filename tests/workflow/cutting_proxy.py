"""A network between agent and server that can be cut, as a test wishes."""

import contextlib
import socket
import threading


class CuttingProxy:
    """Passes connections on to a port.

    `budget` is how many more bytes of the agent pass before all connections are cut at once; None is no limit.
    While `is_down`, new connections are refused.
    """

    def __init__(self, port):
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open = set()
        self.budgets = []
        self.cuts = 0
        self.is_down = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def cut(self):
        """Cut all connections."""
        with self._lock:
            doomed, self._open = self._open, set()
            self.cuts += bool(doomed)
        for end in doomed:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                near.close()
                continue
            far = socket.create_connection(self._to)
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source, sink, is_upward):
        with contextlib.suppress(OSError):
            while data := source.recv(64 << 10):
                if self._is_used_up(len(data), source):
                    self.cut()
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _is_used_up(self, size, source):
        """Take from the first budget; when it is used up, the next begins. What was cut already takes nothing."""
        with self._lock:
            if not self.budgets or source not in self._open:
                return False
            self.budgets[0] -= size
            if self.budgets[0] > 0:
                return False
            self.budgets.pop(0)
            return True


@contextlib.contextmanager
def cutting_proxy(port):
    proxy = CuttingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
