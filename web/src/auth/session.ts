/**
 * Sign-in with OpenID Connect: authorization code with PKCE, in the browser, without a client secret.
 *
 * Tokens live in sessionStorage: a reload keeps the session, another tab or a closed one does not, and nothing is
 * left on the disk. docs/web-client.md explains the choice.
 */
import { UserManager, WebStorageStateStore } from "oidc-client-ts";
import type { Session } from "@/api/client";
import type { ServerConfig } from "@/api/types";

export const CALLBACK_PATH = "/signed-in";

/** The page to return to after signing in; travels in the state of the request. */
export interface SignInState {
  returnTo: string;
}

export function userManager(config: ServerConfig): UserManager {
  const origin = config.public_url.replace(/\/+$/, "");
  const store = new WebStorageStateStore({ store: window.sessionStorage });
  return new UserManager({
    authority: config.issuer,
    client_id: config.web_client_id,
    redirect_uri: origin + CALLBACK_PATH,
    post_logout_redirect_uri: `${origin}/`,
    response_type: "code",
    scope: "openid profile email",
    // Renewal by refresh token; the hidden frame that the library falls back to is refused by frame-ancestors anyway.
    automaticSilentRenew: true,
    revokeTokensOnSignout: true,
    revokeTokenTypes: ["refresh_token"],
    userStore: store,
    stateStore: store,
    requestTimeoutInSeconds: 15,
  });
}

/** The session as the API client needs it. */
export function sessionOf(manager: UserManager): Session {
  return {
    token: async () => (await manager.getUser())?.access_token ?? null,
    renew: async () => {
      try {
        return (await manager.signinSilent())?.access_token ?? null;
      } catch {
        await manager.removeUser();
        return null;
      }
    },
  };
}

/** Only paths of this application: the state comes back from outside. */
export function safeReturn(state: unknown): string {
  const path = (state as Partial<SignInState> | undefined)?.returnTo;
  return typeof path === "string" && /^\/(?![/\\])/.test(path) && !path.startsWith(CALLBACK_PATH) ? path : "/";
}
