"""The regular expressions of checked strings, and what to tell the author of one that does not match."""

from dataclasses import dataclass

from studio.contract import names
from studio_operator.api import quantity


@dataclass(frozen=True)
class Pattern:
    """A regular expression (RE2) and what to tell the author of a string that does not match it."""

    regex: str
    advice: str


RESOURCE_NAME = Pattern(
    names.NAME_PATTERN, "use lower-case letters, digits and '-', beginning with a letter and not ending with '-'"
)
OBJECT_NAME = Pattern(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "use the name of an object: lower-case letters, digits, '-' and '.'",
)
DATA_KEY = Pattern(r"^[-._a-zA-Z0-9]+$", "use a key of a ConfigMap or Secret: letters, digits, '-', '_' and '.'")
# No segment begins with a dot: that leaves out `..`, and the hidden files that ConfigMap volumes bring along.
FILE_PATH = Pattern(
    r"^[-_a-zA-Z0-9][-._a-zA-Z0-9]*(/[-_a-zA-Z0-9][-._a-zA-Z0-9]*)*$",
    "use a relative path of letters, digits, '-', '_' and '.', without '..' and hidden files",
)
IMAGE = Pattern(r"^[a-zA-Z0-9][-a-zA-Z0-9._:/@]*$", "use an image reference such as registry.example.com/team/name:tag")
ENV_NAME = Pattern(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$", "use letters, digits, '_', '-' and '.', not beginning with a digit")
QUANTITY = Pattern(quantity.PATTERN, "use a quantity such as 200m, 1 or 2Gi")
LANGUAGE = Pattern(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "use a language code such as en, de or pt-BR")
MODEL_VERSION = Pattern(r"^(latest|[1-9][0-9]{0,8})$", "use latest or a number, as in status.model.version")
REGISTRY = Pattern(
    r"^[a-zA-Z0-9][-a-zA-Z0-9.:]*(/[-a-zA-Z0-9._]+)*$", "use a registry such as registry.example.com:5000/mirror"
)
URL = Pattern(r"^https?://[^\s/?#]+[^\s?#]*$", "use a URL such as https://s3.example.com")
ORIGIN = Pattern(
    r"^https?://([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$",
    "use scheme, host in lower case and, where it is not the usual one, port, such as https://studio.example.com",
)
ORIGINS = Pattern(
    r"^(\*|https?://([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?)$",
    "use an origin such as https://www.example.com, without a path, or *",
)
BOOTSTRAP_SERVERS = Pattern(
    r"^[^\s,:/]+:[0-9]{1,5}(,[^\s,:/]+:[0-9]{1,5})*$",
    "use host:port, several separated by commas, such as kafka-0.example.com:9093,kafka-1.example.com:9093",
)
TOPIC = Pattern(r"^[-._a-zA-Z0-9]+$", "use the name of a Kafka topic: letters, digits, '.', '_' and '-'")
CLAIM = Pattern(r"^[-_.a-zA-Z0-9]+$", "use the name of a claim: letters, digits, '.', '_' and '-'")
USERNAME = Pattern(r"^[a-z0-9][-._@a-z0-9]*$", "use lower-case letters, digits, '.', '_', '@' and '-'")
EMAIL = Pattern(r"^[^\s@]+@[^\s@]+$", "use an e-mail address")
GIT_URL = Pattern(r"^(https?|ssh|git)://[^\s]+$|^[^\s@]+@[^\s:]+:[^\s]+$", "use the https or ssh URL of a repository")

PATTERNS = (
    RESOURCE_NAME,
    OBJECT_NAME,
    DATA_KEY,
    FILE_PATH,
    IMAGE,
    ENV_NAME,
    QUANTITY,
    LANGUAGE,
    MODEL_VERSION,
    REGISTRY,
    URL,
    ORIGIN,
    ORIGINS,
    BOOTSTRAP_SERVERS,
    TOPIC,
    CLAIM,
    USERNAME,
    EMAIL,
    GIT_URL,
)
