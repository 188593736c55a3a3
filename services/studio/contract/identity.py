"""What Keycloak's realm is made with and tokens are checked for: names that several parts must agree on."""

REALM = "studio"
# The value of `aud` in every token for the back end, and the client scope that puts it there.
AUDIENCE = SCOPE = "studio-api"
WEB_CLIENT, CLI_CLIENT, EXTERNAL_CLIENT = "studio-web", "studio-cli", "studio-external"
ROLES_CLAIM, ASSISTANTS_CLAIM = "roles", "assistants"
