"""Duckling: a component of the engine that is a client of a server, which no image of ours has.

It trains without one, and of each message it then says in the engine's log only that it finds nothing (Rasa 3.6.21,
rasa/nlu/extractors/duckling_entity_extractor.py).
"""

from collections.abc import Collection, Iterator

from studio_operator.planning import yaml_text

COMPONENT = "DucklingEntityExtractor"
VARIABLE = "RASA_DUCKLING_HTTP_URL"
_NOTHING = frozenset({"", "~", "null"})


def without_server(config: str, variables: Collection[str]) -> Iterator[str]:
    """A warning if a readable config.yml uses the component and neither it nor the engine's variables name a server."""
    if VARIABLE in variables:
        return
    for entries in yaml_text.mappings(config, ("name", "url")):
        # A component is named by its class, with or without the module.
        if entries.get("name", "").rpartition(".")[2] == COMPONENT and entries.get("url", "") in _NOTHING:
            yield (
                f"config.yml: {COMPONENT} finds no entities without a Duckling server: "
                f"name one as its url, or as {VARIABLE} in spec.engine.env"
            )
            return
