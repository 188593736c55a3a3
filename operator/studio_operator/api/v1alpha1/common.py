"""What both custom resources are built of: the base model, checked strings, and the Kubernetes shapes they carry."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from studio.contract import names
from studio_operator.api import quantity
from studio_operator.api.v1alpha1.patterns import (
    DATA_KEY,
    ENV_NAME,
    FILE_PATH,
    IMAGE,
    MODEL_VERSION,
    OBJECT_NAME,
    QUANTITY,
    RESOURCE_NAME,
    Pattern,
)

DeletionPolicy = Literal["Retain", "Delete"]


@dataclass(frozen=True)
class Problem:
    """One thing to mend: `path` names the field, such as `spec.training.priority`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidSpec(ValueError):
    """A custom resource that cannot be acted on; `problems` is never empty."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems

    @classmethod
    def single(cls, path: str, message: str) -> Self:
        """The error with one problem."""
        return cls([Problem(path, message)])


class Model(BaseModel):
    """Base of everything in a custom resource: camelCase in JSON, unknown fields ignored (the API server prunes)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def manifest(self) -> dict[str, Any]:
        """The JSON form, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rules(*checks: tuple[str, str]) -> ConfigDict:
    """CEL rules of a model, as pairs (expression, message); each needs a twin in pydantic, for the reconcile."""
    validations: list[JsonValue] = [{"rule": expression, "message": message} for expression, message in checks]
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": validations})


def exactly_one_rule(*fields: str) -> tuple[str, str]:
    """The CEL rule that exactly one of these fields (JSON names) is set."""
    given = ", ".join(f"has(self.{field})" for field in fields)
    return f"[{given}].filter(given, given).size() == 1", f"set exactly one of {', '.join(fields)}"


def check_exactly_one(model: BaseModel, *fields: str) -> None:
    """The twin of `exactly_one_rule` for Python field names. Raises ValueError."""
    given = [to_camel(field) for field in fields if getattr(model, field) is not None]
    if len(given) != 1:
        wanted = ", ".join(to_camel(field) for field in fields)
        raise ValueError(f"set exactly one of {wanted}; {' and '.join(given) + ' are' if given else 'none is'} set")


ResourceName = Annotated[str, Field(pattern=RESOURCE_NAME.regex, max_length=names.NAME_MAX)]
ObjectName = Annotated[str, Field(pattern=OBJECT_NAME.regex, max_length=253)]
DataKey = Annotated[str, Field(pattern=DATA_KEY.regex, max_length=253)]
FilePath = Annotated[str, Field(pattern=FILE_PATH.regex, max_length=255)]
Image = Annotated[str, Field(pattern=IMAGE.regex, max_length=500)]
PlainQuantity = Annotated[str, Field(pattern=QUANTITY.regex, max_length=32)]


def _number_as_text(value: object) -> object:
    """YAML turns an unquoted `cpu: 1` into a number; the API server accepts both."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def int_or_string(pattern: Pattern) -> Any:
    """The schema of a string that may also be written as a whole number."""
    choices = [{"type": "integer"}, {"type": "string"}]
    return WithJsonSchema({"anyOf": choices, "pattern": pattern.regex, "x-kubernetes-int-or-string": True})


Quantity = Annotated[str, Field(pattern=QUANTITY.regex), BeforeValidator(_number_as_text), int_or_string(QUANTITY)]
ModelVersion = Annotated[
    str, Field(pattern=MODEL_VERSION.regex), BeforeValidator(_number_as_text), int_or_string(MODEL_VERSION)
]


def map_list(key: str) -> dict[str, Any]:
    """Schema of a list whose items are told apart, and merged on apply, by one of their fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def unique(key: str) -> Callable[[list[Any]], list[Any]]:
    """The twin of `map_list`: a validator that refuses two items with the same key."""

    def check(items: list[Any]) -> list[Any]:
        if double := _first_double(getattr(item, key) for item in items):
            raise ValueError(f"two items have the {key} {double!r}; keep one of them")
        return items

    return check


def _first_double(values: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


class LocalObject(Model):
    """An object of the same namespace, by name."""

    name: ObjectName = Field(description="Name of the object, in the same namespace.")


class SecretKeyRef(Model):
    """One key of a Secret of the same namespace."""

    name: ObjectName = Field(description="Name of the Secret, in the same namespace.")
    key: DataKey = Field(description="Key within the Secret.")


class KeySelector(Model):
    """One key of a ConfigMap or Secret of the same namespace."""

    name: ObjectName = Field(description="Name of the object, in the same namespace.")
    key: DataKey = Field(description="Key within the object.")
    optional: bool | None = Field(default=None, description="Whether the object or key may be missing.")


class FieldSelector(Model):
    """A field of the pod itself."""

    field_path: Annotated[str, Field(max_length=253)] = Field(description="Path of the field, such as metadata.name.")


class EnvSource(Model):
    """Where the value of an environment variable comes from: exactly one of these."""

    model_config = rules(exactly_one_rule("secretKeyRef", "configMapKeyRef", "fieldRef"))

    secret_key_ref: KeySelector | None = Field(default=None, description="A key of a Secret.")
    config_map_key_ref: KeySelector | None = Field(default=None, description="A key of a ConfigMap.")
    field_ref: FieldSelector | None = Field(default=None, description="A field of the pod.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        check_exactly_one(self, "secret_key_ref", "config_map_key_ref", "field_ref")
        return self


class EnvVar(Model):
    """An environment variable of a container."""

    model_config = rules(("!(has(self.value) && has(self.valueFrom))", "set value or valueFrom, not both"))

    name: Annotated[str, Field(pattern=ENV_NAME.regex, max_length=128)] = Field(description="Name of the variable.")
    value: Annotated[str, Field(max_length=8192)] | None = Field(default=None, description="Literal value.")
    value_from: EnvSource | None = Field(default=None, description="Source of the value, instead of a literal one.")

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.value is not None and self.value_from is not None:
            raise ValueError("set value or valueFrom, not both")
        return self


Environment = Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=map_list("name"))]
CheckedEnvironment = Annotated[Environment, AfterValidator(unique("name"))]
Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]


class Resources(Model):
    """Compute resources of a container."""

    requests: Quantities = Field(default={}, description="What is reserved, such as {cpu: 200m, memory: 700Mi}.")
    limits: Quantities = Field(default={}, description="What is never exceeded, such as {memory: 2Gi}.")

    @model_validator(mode="after")
    def _requests_fit_limits(self) -> Self:
        for name in sorted(self.requests.keys() & self.limits.keys()):
            request, limit = self.requests[name], self.limits[name]
            if quantity.amount(request) > quantity.amount(limit):
                raise ValueError(f"requests.{name} ({request}) exceeds limits.{name} ({limit}); raise the limit")
        return self

    def requirements(self) -> quantity.Requirements:
        """The plain form that `quantity.merged` combines."""
        return {"requests": dict(self.requests), "limits": dict(self.limits)}


class Sized(Model):
    """Size of one component whose number of pods follows from something else."""

    resources: Resources = Field(default=Resources(), description="Resources of each pod.")


class Replicated(Sized):
    """Size of one component."""

    replicas: Annotated[int, Field(ge=1, le=10)] = Field(default=1, description="Number of pods.")


class Toleration(Model):
    """A taint of nodes that the pod accepts."""

    key: Annotated[str, Field(max_length=317)] | None = Field(default=None, description="Key of the taint; none: all.")
    operator: Literal["Exists", "Equal"] | None = Field(default=None, description="How value is compared.")
    value: Annotated[str, Field(max_length=63)] | None = Field(default=None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; none: all."
    )
    toleration_seconds: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = Field(
        default=None, description="How long a NoExecute taint is accepted; none: for ever."
    )


class Scheduling(Model):
    """Where pods may run."""

    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = Field(
        default={}, description="Labels that a node must have."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        default=[], description="Taints of nodes that are accepted."
    )
    affinity: dict[str, Any] | None = Field(
        default=None, description="Affinity rules, in the form of a pod's spec.affinity."
    )
    priority_class_name: ObjectName | None = Field(default=None, description="PriorityClass of the pods.")


class ObjectMeta(Model):
    """What the operator reads of an object's metadata."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    deletion_timestamp: str | None = None
    finalizers: list[str] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
