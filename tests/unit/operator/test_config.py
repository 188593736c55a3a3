from pathlib import Path

import pytest

from studio_operator.config import Config

_NAMES = ("SERVICES", "ENGINE", "DATABASE", "OBJECT_STORE", "EVENT_BROKER", "KEYCLOAK", "WEB_CLIENT", "ENTRY_PROXY")
IMAGES = {f"RELATED_IMAGE_{name}": "x" for name in _NAMES}


def test_defaults() -> None:
    config = Config.from_environment(IMAGES)
    assert config.watch_namespaces == ()
    assert config.auto_create_studio
    assert (config.resync_seconds, config.workers, config.http_port) == (300, 8, 8080)
    assert config.subject == "system:serviceaccount:studio-operator-system:studio-operator"
    assert config.model_service_token_file == Path("/var/run/secrets/studio-operator.io/token")


def test_everything_set() -> None:
    config = Config.from_environment(
        IMAGES
        | {
            "WATCH_NAMESPACES": "b, a,,b",
            "OPERATOR_NAMESPACE": "ops",
            "POD_NAME": "pod",
            "LOG_LEVEL": "debug",
            "AUTO_CREATE_STUDIO": "false",
            "RESYNC_SECONDS": "60.5",
            "WORKERS": "2",
            "HTTP_PORT": "0",
            "MODEL_SERVICE_TOKEN_FILE": "",
            "MODEL_SERVICE_URL_TEMPLATE": "http://{studio}",
            "VERSION": "9",
        }
    )
    assert config.watch_namespaces == ("b", "a")
    assert config.subject == "system:serviceaccount:ops:studio-operator"
    assert (config.pod_name, config.log_level, config.version) == ("pod", "DEBUG", "9")
    assert not config.auto_create_studio
    assert config.model_service_token_file is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WATCH_NAMESPACES", "Upper"),
        ("LOG_LEVEL", "loud"),
        ("AUTO_CREATE_STUDIO", "maybe"),
        ("RESYNC_SECONDS", "5"),
        ("RESYNC_SECONDS", "nan"),
        ("WORKERS", "none"),
        ("MODEL_SERVICE_URL_TEMPLATE", "http://{host}"),
        ("RELATED_IMAGE_ENGINE", ""),
    ],
)
def test_nonsense_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        Config.from_environment(IMAGES | {variable: value})
