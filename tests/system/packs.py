"""The packs of a server's vault, seen from outside: where they lie, what kind they are, and how to damage one."""

import contextlib
import struct

DATA, TREE = 1, 2
HEADER_BYTES, FOOTER_BYTES = 64, 32


def packs_of(site, kind=None):
    """Give the files of all packs, or of those of one kind; by their names, so in no order that means anything."""
    packs = sorted((site.data / "vault" / "packs").glob("*/*"))
    return [pack for pack in packs if kind is None or pack.read_bytes()[9] == kind]


def places_in(pack):
    """Name places in a pack, one in each of its parts."""
    content = pack.read_bytes()
    (trailer,) = struct.unpack_from("<Q", content, len(content) - FOOTER_BYTES)
    return {
        "magic": 0,
        "header": 20,
        "zero bytes of the header": HEADER_BYTES - 1,
        "head of a block": HEADER_BYTES + 5,
        "block": HEADER_BYTES + 12 + (trailer - HEADER_BYTES) // 2,
        "tag of the last block": trailer - 1,
        "head of the trailer": trailer + 9,
        "trailer": (trailer + 12 + len(content) - FOOTER_BYTES) // 2,
        "footer": len(content) - FOOTER_BYTES,
        "last byte": len(content) - 1,
    }


def flip(pack, place):
    """Change one bit."""
    with pack.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0x10]))


@contextlib.contextmanager
def flipped(pack, place):
    """Change one bit for a while."""
    flip(pack, place)
    try:
        yield
    finally:
        flip(pack, place)
