"""Who opens what: a watch on a tree that sees every file opened by anybody, without a trace of its own."""

import contextlib
import ctypes
import os
import struct

IN_OPEN = 0x20
IN_ISDIR = 0x40000000
IN_NONBLOCK = os.O_NONBLOCK
_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """The files below a tree that were opened since the watch began."""

    def __init__(self, tree):
        self._handle = _libc.inotify_init1(IN_NONBLOCK)
        self._folders = {}
        for folder, _, _ in os.walk(os.fsencode(tree)):
            number = _libc.inotify_add_watch(self._handle, folder, IN_OPEN)
            if number < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
            self._folders[number] = folder

    def opened(self):
        """Give the paths of the files that were opened since this was last asked; folders are not files."""
        paths = []
        with contextlib.suppress(BlockingIOError):
            while events := os.read(self._handle, 1 << 20):
                paths += self._files(events)
        return paths

    def close(self):
        os.close(self._handle)

    def _files(self, events):
        at = 0
        while at < len(events):
            number, mask, _, size = _HEAD.unpack_from(events, at)
            name = events[at + _HEAD.size : at + _HEAD.size + size].rstrip(b"\0")
            at += _HEAD.size + size
            if not mask & IN_ISDIR:
                yield os.path.join(self._folders.get(number, b"?"), name)


@contextlib.contextmanager
def watched(tree):
    """Watch a tree for as long as the block lasts."""
    watch = Watch(tree)
    try:
        yield watch
    finally:
        watch.close()
