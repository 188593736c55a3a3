"""Specs to build components for, and the components."""

from typing import Any

from studio_operator.components import (
    backend,
    database,
    entry_proxy,
    event_broker,
    ingestion,
    keycloak,
    migration,
    object_store,
    running_consumer,
    running_orchestrator,
    service_accounts,
    training_consumer,
    training_orchestrator,
    web_client,
)
from studio_operator.components.talk import TalkRoute

EXTERNAL: dict[str, Any] = {
    "images": {"registry": "mirror.example.com:5000/all", "pullSecrets": [{"name": "mirror"}], "pullPolicy": "Always"},
    "database": {"external": {"secretRef": {"name": "postgres"}}},
    "objectStore": {
        "external": {
            "endpoint": "https://s3.example.com",
            "region": "eu-central-1",
            "bucket": "bots",
            "prefix": "studio/",
            "secretRef": {"name": "s3"},
        }
    },
    "publicUrl": "https://studio.example.com",
    "eventBroker": {
        "external": {
            "bootstrapServers": "kafka-0.example.com:9093,kafka-1.example.com:9093",
            "secretRef": {"name": "kafka"},
            "engineSecretRef": {"name": "kafka-engines"},
        },
        "topic": {"name": "bots", "partitions": 12, "replicationFactor": 3},
    },
    "ingestion": {"topics": ["elsewhere"], "replicas": 2, "backfill": False},
    "identity": {"external": {"issuer": "https://login.example.com/realms/all", "webClientId": "bots-web"}},
    "components": {"trainingOrchestrator": {"replicas": 2, "resources": {"limits": {"memory": "1Gi"}}}},
}
FULL: dict[str, Any] = {
    "engine": {
        "image": "registry.example.com/rasa-pro:3",
        "licenceSecretRef": {"name": "rasa", "key": "licence"},
        "env": [
            {"name": "LANG", "value": "de_DE.UTF-8"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}},
        ],
        "resources": {"limits": {"memory": "4Gi"}},
    },
    "training": {
        "resources": {"requests": {"cpu": 2, "memory": "3Gi"}},
        "nodeSelector": {"pool": "training"},
        "tolerations": [{"key": "training", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "low",
    },
    "actions": {
        "image": "registry.example.com/concierge-actions:1",
        "env": [{"name": "CRM", "valueFrom": {"configMapKeyRef": {"name": "crm", "key": "url"}}}],
        "replicas": 2,
    },
}
STUDIO_COMPONENTS = (
    service_accounts,
    database,
    object_store,
    event_broker,
    keycloak,
    migration,
    training_orchestrator,
    running_orchestrator,
    training_consumer,
    running_consumer,
    backend,
    ingestion,
    web_client,
    entry_proxy,
)
# What an external Studio has none of.
EMBEDDED_ONLY = (database, object_store, event_broker, keycloak)
TALK = (
    TalkRoute("concierge", ("rest", "socketio"), ("https://www.example.com", "http://localhost:3000")),
    TalkRoute("open-house", ("rest",), ("*",)),
)
