"""YAML as a stream of events: checked and completed without ever being built, so that hostile text stays harmless.

Aliases are not followed and merge keys not resolved, so nothing can expand, tags are not acted on, and memory does
not grow with the number of nodes. What is passed through keeps its spelling: `1e-3`, `on` and `${NAME}` mean to the
engine, which reads YAML 1.2, what their author wrote.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

import yaml

MAX_DEPTH = 100

# The pure Python parser needs a minute for what this one reads in a second.
_Parser: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Emitter: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NO_FOLDING = 1_000_000


class Unreadable(Exception):
    """The text is not one plain YAML document; the message says what and where."""


def check(text: str) -> None:
    """Read to the end. Raises Unreadable."""
    for _ in _events(text):
        pass


def with_entries(text: str, entries: Mapping[str, str]) -> str:
    """The document, a mapping, with these entries in place of its own of the same names. Raises Unreadable."""
    merged = _merged(_events(text), entries)
    rendered: str = yaml.emit(merged, Dumper=_Emitter, allow_unicode=True, width=_NO_FOLDING)
    return rendered


def mappings(text: str, keys: Container[str]) -> Iterator[dict[str, str]]:
    """The plain entries of these keys of each mapping, inner ones before outer ones. Raises Unreadable."""
    open_: list[_Entries] = []
    for event in _events(text):
        if open_ and isinstance(event, yaml.NodeEvent):
            open_[-1].add(event)
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(_Entries(keys if isinstance(event, yaml.MappingStartEvent) else ()))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = open_.pop()
            if isinstance(event, yaml.MappingEndEvent):
                yield ended.plain


class _Entries:
    """The plain entries, of the wanted keys, of one mapping whose nodes come one after the other."""

    def __init__(self, wanted: Container[str]) -> None:
        self.plain: dict[str, str] = {}
        self._wanted = wanted
        self._nodes = 0
        self._key = ""

    def add(self, node: yaml.NodeEvent) -> None:
        text = node.value if isinstance(node, yaml.ScalarEvent) else ""
        if self._nodes % 2 == 0:
            self._key = text
        elif self._key in self._wanted:
            self.plain[self._key] = text
        self._nodes += 1


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events, as long as they make sense."""
    depth, documents = 0, 0
    anchors: set[str] = set()
    try:
        for event in yaml.parse(text, Loader=_Parser):
            documents += isinstance(event, yaml.DocumentStartEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if documents > 1:
                raise Unreadable(f"a second document begins{_at(event.start_mark)}: keep one document in a file")
            if depth > MAX_DEPTH:
                raise Unreadable(f"nested more than {MAX_DEPTH} levels deep{_at(event.start_mark)}")
            _check_node(event, anchors)
            yield event
    except yaml.YAMLError as error:
        raise Unreadable(_said(error)) from error


def _check_node(event: yaml.Event, anchors: set[str]) -> None:
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise Unreadable(f"*{event.anchor}{_at(event.start_mark)} refers to nothing before it")
    elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
        anchors.add(event.anchor)
    tag = getattr(event, "tag", None)
    if tag is not None and tag.startswith("tag:yaml.org,2002:python/"):
        raise Unreadable(f"the tag !!{tag.removeprefix('tag:yaml.org,2002:')}{_at(event.start_mark)} is not allowed")


class _Part(Enum):
    """Where in a document an event stands."""

    OUTSIDE = "outside"
    ROOT = "root"
    KEY = "key"
    INNER = "inner"
    END = "end"


class _Position:
    """Follows the events of one document; a key is one of the root mapping's own."""

    def __init__(self) -> None:
        self._depth = 0
        self._nodes = 0

    def of(self, event: yaml.Event) -> _Part:
        """The part that begins with, or holds, the next event."""
        closes = isinstance(event, yaml.CollectionEndEvent)
        self._depth -= closes
        part = self._part(event, closes=closes)
        if isinstance(event, yaml.CollectionStartEvent):
            self._depth += 1
        elif self._depth == 1:
            self._nodes += 1
        return part

    def _part(self, event: yaml.Event, *, closes: bool) -> _Part:
        if self._depth == 0:
            return _Part.END if closes else _Part.ROOT if isinstance(event, yaml.NodeEvent) else _Part.OUTSIDE
        begins_key = self._depth == 1 and self._nodes % 2 == 0 and not closes
        return _Part.KEY if begins_key else _Part.INNER


def _merged(events: Iterable[yaml.Event], entries: Mapping[str, str]) -> Iterator[yaml.Event]:
    position, dropping, is_mapping = _Position(), False, False
    for event in events:
        part = position.of(event)
        if part is _Part.ROOT:
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            _require_mapping(is_mapping)
        elif part is _Part.END:
            dropping = False
            yield from _plain(entries)
        elif part is _Part.KEY:
            dropping = isinstance(event, yaml.ScalarEvent) and event.value in entries
        if dropping:
            _refuse_anchor(event)
        else:
            yield event
    _require_mapping(is_mapping)


def _require_mapping(is_mapping: bool) -> None:
    if not is_mapping:
        raise Unreadable("it must be a mapping")


def _refuse_anchor(event: yaml.Event) -> None:
    """What is dropped must not be what something kept refers to."""
    if isinstance(event, yaml.NodeEvent) and not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
        raise Unreadable(
            f"&{event.anchor}{_at(event.start_mark)} marks a value that the Studio replaces: write it plainly"
        )


def _plain(entries: Mapping[str, str]) -> Iterator[yaml.Event]:
    for name, value in entries.items():
        yield yaml.ScalarEvent(None, None, (True, False), name)
        yield yaml.ScalarEvent(None, None, (False, True), value, style='"')


def _said(error: yaml.YAMLError) -> str:
    """The parser's own words in one line."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"{getattr(error, 'problem', None) or 'syntax error'}{_at(mark)}"
    return " ".join(str(error).replace('in "<unicode string>",', "at").split())


def _at(mark: Any) -> str:
    return f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
