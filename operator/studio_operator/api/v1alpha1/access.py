"""How people reach a Studio, and who they are: Ingress, Gateway, identity."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from studio.contract.identity import ASSISTANTS_CLAIM, AUDIENCE, CLI_CLIENT, ROLES_CLAIM, WEB_CLIENT
from studio_operator.api.v1alpha1.common import (
    Model,
    ObjectName,
    Resources,
    check_exactly_one,
    exactly_one_rule,
    rules,
)
from studio_operator.api.v1alpha1.patterns import CLAIM, EMAIL, URL, USERNAME

ClaimName = Annotated[str, Field(pattern=CLAIM.regex, max_length=63)]
ClientId = Annotated[str, Field(min_length=1, max_length=255)]


class Ingress(Model):
    """An Ingress for the host of publicUrl."""

    class_name: ObjectName | None = Field(
        default=None, description="IngressClass; without it the cluster's default decides."
    )
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = Field(
        default={}, description="Annotations for the controller; the operator sets none of its own."
    )
    tls_secret_name: ObjectName | None = Field(
        default=None,
        description="Secret with the certificate of the host, in the same namespace, for a publicUrl with https. "
        "Without it the controller's own certificate is used.",
    )


class ParentRef(Model):
    """A Gateway."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Its namespace; without it that of the Studio."
    )
    section_name: ObjectName | None = Field(default=None, description="Name of one of its listeners; none: all.")


class Gateway(Model):
    """An HTTPRoute for the host of publicUrl."""

    parent_refs: Annotated[list[ParentRef], Field(min_length=1, max_length=8)] = Field(
        description="Gateways that the route attaches to."
    )


class Administrator(Model):
    """The first person who may do everything. The password is made once, in the Secret <studio>-administrator."""

    username: Annotated[str, Field(pattern=USERNAME.regex, max_length=63)] = Field(
        default="admin", description="Name to sign in with; read when the Secret <studio>-administrator is made."
    )
    email: Annotated[str, Field(pattern=EMAIL.regex, max_length=254)] | None = Field(
        default=None, description="E-mail address."
    )


class EmbeddedIdentity(Model):
    """A Keycloak of the Studio's own, on its database."""

    resources: Resources = Field(
        default=Resources(),
        description="Resources of the pod. Default: requests cpu 100m, memory 512Mi; limit memory 1Gi.",
    )
    registration: bool = Field(default=False, description="Whether people may make accounts for themselves.")
    password_policy: Annotated[str, Field(max_length=1024)] = Field(
        default="length(12) and notUsername and notEmail",
        description="What passwords must be like, in Keycloak's words.",
    )
    brute_force_protection: bool = Field(
        default=True, description="Whether an account is locked for a while after many wrong passwords."
    )
    admin_console: bool = Field(
        default=False, description="Whether Keycloak's own administration is reachable at publicUrl."
    )
    administrator: Administrator = Field(default=Administrator(), description="The first administrator.")


class ExternalIdentity(Model):
    """An OpenID Connect issuer that somebody else runs."""

    issuer: Annotated[str, Field(pattern=URL.regex, max_length=2048)] = Field(
        description="URL of the issuer, exactly as in the claim iss."
    )
    web_client_id: ClientId = Field(
        default=WEB_CLIENT,
        description="Public client of the web client: authorization code with PKCE, redirect <publicUrl>/signed-in.",
    )
    cli_client_id: ClientId = Field(
        default=CLI_CLIENT, description="Public client of the command line, with the device flow."
    )
    audience: ClientId = Field(default=AUDIENCE, description="Value that the claim aud must have.")
    roles_claim: ClaimName = Field(default=ROLES_CLAIM, description="Claim with the list of roles.")
    assistants_claim: ClaimName = Field(
        default=ASSISTANTS_CLAIM, description="Claim with the list of assistants; absent, or with *: all of them."
    )


class Identity(Model):
    """Where people sign in: exactly one of embedded and external."""

    model_config = rules(exactly_one_rule("embedded", "external"))

    embedded: EmbeddedIdentity | None = Field(
        default=None, description="A Keycloak of the Studio's own; accounts are kept in the database."
    )
    external: ExternalIdentity | None = Field(default=None, description="An issuer that somebody else runs.")

    @model_validator(mode="after")
    def _one_issuer(self) -> Self:
        check_exactly_one(self, "embedded", "external")
        return self
