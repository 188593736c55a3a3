"""What processes are told of the issuer of people's tokens, and where that issuer is."""

from studio.contract.identity import ASSISTANTS_CLAIM, AUDIENCE, CLI_CLIENT, REALM, ROLES_CLAIM, WEB_CLIENT
from studio.contract.labels import API_PORT, Component
from studio_operator.components import secrets
from studio_operator.components.context import StudioContext
from studio_operator.components.environment import FILES, PASSWORD, Inputs, url, variables
from studio_operator.components.podspec import secret_volume

KEYCLOAK_PATH = "/auth"
KEYCLOAK_DATABASE = "keycloak"

_CERTIFICATES = f"{KEYCLOAK_PATH}/realms/{REALM}/protocol/openid-connect/certs"


def people(context: StudioContext) -> Inputs:
    """Whose tokens count, and what in them says who somebody is."""
    external = context.spec.identity.external
    public_url = context.spec.public_url
    if external is None:
        known = {
            "OIDC_ISSUER": f"{public_url}{KEYCLOAK_PATH}/realms/{REALM}",
            # From inside: publicUrl may be reachable from the browser only.
            "OIDC_JWKS_URL": url(context, Component.KEYCLOAK, API_PORT) + _CERTIFICATES,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_ROLES_CLAIM": ROLES_CLAIM,
            "OIDC_ASSISTANTS_CLAIM": ASSISTANTS_CLAIM,
            "OIDC_WEB_CLIENT_ID": WEB_CLIENT,
            "OIDC_CLI_CLIENT_ID": CLI_CLIENT,
        }
    else:
        known = {
            "OIDC_ISSUER": external.issuer,
            "OIDC_AUDIENCE": external.audience,
            "OIDC_ROLES_CLAIM": external.roles_claim,
            "OIDC_ASSISTANTS_CLAIM": external.assistants_claim,
            "OIDC_WEB_CLIENT_ID": external.web_client_id,
            "OIDC_CLI_CLIENT_ID": external.cli_client_id,
        }
    return Inputs(variables(known | {"PUBLIC_URL": public_url}))


def keycloak_database(context: StudioContext) -> Inputs:
    """The database of Keycloak, for the migration to make; nothing where people sign in elsewhere."""
    if context.spec.identity.embedded is None:
        return Inputs()
    folder = f"{FILES}/keycloak-database"
    known = {
        "KEYCLOAK_DATABASE": KEYCLOAK_DATABASE,
        "KEYCLOAK_USER": KEYCLOAK_DATABASE,
        "KEYCLOAK_PASSWORD_FILE": f"{folder}/{PASSWORD}",
    }
    keys = {secrets.KEYCLOAK_DATABASE_PASSWORD: PASSWORD}
    volume = secret_volume("keycloak-database", secrets.keycloak(context), folder, keys)
    return Inputs(variables(known), [volume])
