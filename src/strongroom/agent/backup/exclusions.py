r"""Exclusions: the patterns of a set as one or two regular expressions over raw bytes.

Why: a pattern is asked once per file, so all of them together must cost little more than one.
The language: `*` matches within a name, `**` across folders, `?` one character, `[abc]`, `[a-z]` and `[!a-z]` one of
a class. A pattern without a slash matches a name at any depth; with one it matches from the root when it begins with
a slash, else at any depth. What is excluded takes all beneath it along. A slash at the end means nothing.
Promises: every pattern that `unescape_path` accepts is either understood or a `Mistake` that quotes it. Anybody who may
make files on the host chooses names; so no name keeps a pattern busy for long, however many wildcards it has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from strongroom.errors import Mistake
from strongroom.model.paths import escape_path, unescape_path

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHARACTER: Final = (
    rb"(?>[\x00-\x2e\x30-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff])"
)
_ANY_FOLDERS: Final = "**/"
_WIDEST_RANGE: Final = 512
_TOKENS: Final = re.compile(
    r"(?P<folders>\*\*/)|(?P<all>\*\*)|(?P<some>\*)|(?P<one>\?)|\[(?P<set>!?\]?[^\]]*)\]", re.DOTALL
)


class Exclusions:
    """The compiled patterns of one set."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile escaped text patterns.

        Raises:
            Mistake: a pattern cannot be understood (code `bad_pattern`).
        """
        names, paths = [], []
        self.marks: list[tuple[bytes, bytes | None]] = []
        """How names that are excluded begin and end, or what they are; names that are not may look so, too."""
        for text in patterns:
            pattern = _characters(text).rstrip("/")
            if not pattern:
                continue
            self.marks.append(_mark(pattern))
            if "/" not in pattern:
                names.append(_translate(pattern, text))
            elif pattern.startswith("/"):
                paths.append(_translate(pattern[1:], text))
            else:
                paths.append(_translate(_ANY_FOLDERS + pattern, text))
        self._names = _compile(names)
        self._paths = _compile(paths)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is excluded."""
        return self._names is None and self._paths is None

    def kept(self, folder: bytes, names: list[bytes]) -> list[bytes]:
        """Return the names in a folder (its path from the root) that no pattern excludes."""
        if self._names is not None:
            match = self._names.fullmatch
            names = [name for name in names if not match(name)]
        if self._paths is not None:
            match = self._paths.fullmatch
            start = folder + b"/" if folder else b""
            names = [name for name in names if not match(start + name)]
        return names


def _characters(text: str) -> str:
    """Return a pattern with its escapes undone; bytes that are no UTF-8 stand as lone surrogates."""
    return unescape_path(text).decode("utf-8", "surrogateescape")


def _compile(patterns: list[bytes]) -> re.Pattern[bytes] | None:
    """Return one expression for all."""
    return re.compile(b"|".join(b"(?:%s)" % one for one in patterns), re.DOTALL) if patterns else None


class _Stretch:
    """What stands between two wildcards across folders: its opening wildcard, and its parts, with a `*` between them.

    Where such a part or stretch is found first, it may stay: to find it later would only leave less to the wildcard
    behind it. So it is kept (`(?>…)`) and not tried at every other place as well, which would take for ever with many
    wildcards. Only what must reach to the end is tried further.
    """

    def __init__(self, opening: str) -> None:
        self._opening = opening
        self.parts = [b""]
        self.may_stay = True

    def add(self, expression: bytes) -> None:
        """Append to the last part."""
        self.parts[-1] += expression

    def found_first(self) -> bytes:
        """Return the expression that keeps the first place where this is found."""
        body = self._first_parts(self.parts)
        return {"": b"%s", "all": b"(?>.*?%s)", "folders": b"(?>(?:.*?/)??%s)"}[self._opening] % body

    def found_anywhere(self) -> bytes:
        """Return the expression that tries every place."""
        *before, last = self.parts
        body = self._first_parts(before) + b"[^/]*" + last if before else last
        return {"": b"", "all": b".*", "folders": b"(?:.*/)?"}[self._opening] + body

    def _first_parts(self, parts: list[bytes]) -> bytes:
        return b"".join([parts[0], *(b"(?>[^/]*?%s)" % part for part in parts[1:])])


def _translate(pattern: str, text: str) -> bytes:
    """Return the expression of one pattern."""
    stretches = [_Stretch("")]
    position = 0
    for token in _TOKENS.finditer(pattern):
        stretches[-1].add(_literal(pattern[position : token.start()]))
        position = token.end()
        kind = token.lastgroup or ""
        if kind in {"all", "folders"}:
            # In a**/b the wildcard cannot make up for an "a" that is found too early: "ab" is meant too.
            stretches[-1].may_stay = kind == "all" or pattern[: token.start()][-1:] in {"", "/"}
            stretches.append(_Stretch(kind))
        elif kind == "some":
            stretches[-1].parts.append(b"")
        else:
            stretches[-1].add(_one_of(token["set"], text) if kind == "set" else _CHARACTER)
    stretches[-1].add(_literal(pattern[position:]))
    *others, last = stretches
    found = [one.found_first() if one.may_stay else one.found_anywhere() for one in others]
    return b"".join([*found, last.found_anywhere()])


def _mark(pattern: str) -> tuple[bytes, bytes | None]:
    """Return how any name begins and ends that a pattern excludes, or what it is, if there are no wildcards in it."""
    tokens = list(_TOKENS.finditer(pattern))
    start = pattern.rindex("/") + 1 if "/" in pattern else 0
    folders = next((token for token in tokens if token.end() == start and token.lastgroup == "folders"), None)
    inner = [token for token in tokens if token.end() > start]
    is_last_name = folders is None or pattern[: folders.start()][-1:] in {"", "/"}
    if not inner and is_last_name:
        return _raw(pattern[start:]), None
    end = _raw(pattern[inner[-1].end() if inner else start :])
    if not is_last_name or inner[0].start() < start or any(token.lastgroup == "all" for token in inner):
        return b"", end
    return _raw(pattern[start : inner[0].start()]), end


def _raw(characters: str) -> bytes:
    """Return characters of a pattern as the bytes that they stand for."""
    return characters.encode("utf-8", "surrogateescape")


def _literal(characters: str) -> bytes:
    """Return the expression that matches these characters and nothing else."""
    return re.escape(_raw(characters))


def _one_of(members: str, text: str) -> bytes:
    """Return the expression of a class; a multi-byte character is an alternative of its own."""
    negated = members.startswith("!")
    members = members[negated:]
    choices: list[bytes] = []
    position = 0
    while position < len(members):
        first = last = members[position]
        position += 1
        if members[position : position + 1] == "-" and position + 1 < len(members):
            last = members[position + 1]
            position += 2
        if not 0 <= ord(last) - ord(first) <= _WIDEST_RANGE:
            raise Mistake(
                f"The exclude pattern {escape_path(text.encode())} has a range from {first} to {last}.",
                code="bad_pattern",
                hint="A range goes from a smaller to a larger character, not too far apart.",
            )
        choices.extend(_literal(chr(code)) for code in range(ord(first), ord(last) + 1))
    any_of = b"(?!/)(?>%s)" % b"|".join(choices)
    return b"(?!%s)%s" % (any_of, _CHARACTER) if negated else any_of
