import { Button, Stack, Text } from "@mantine/core";
import { IconLogin2 } from "@tabler/icons-react";
import { type ReactNode, useEffect, useMemo } from "react";
import { AuthProvider, useAuth } from "react-oidc-context";
import { Api } from "@/api/client";
import { ApiContext } from "@/api/context";
import type { Installation } from "@/app/boot";
import { Pages } from "@/app/Pages";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { Splash } from "@/ui/Splash";
import { CALLBACK_PATH, safeReturn, sessionOf, userManager } from "./session";

/** Nothing but sign-in is shown to somebody who has not signed in. */
export function SessionGate({ installation }: { installation: Installation }) {
  const manager = useMemo(() => userManager(installation.server), [installation]);
  const api = useMemo(() => new Api(installation.api, sessionOf(manager)), [installation, manager]);
  return (
    <AuthProvider
      userManager={manager}
      onSigninCallback={(user) => window.history.replaceState(null, "", safeReturn(user?.state))}
    >
      <Gate>
        <ApiContext value={api}>
          <Pages />
        </ApiContext>
      </Gate>
    </AuthProvider>
  );
}

function Gate({ children }: { children: ReactNode }) {
  const auth = useAuth();
  const here = window.location.pathname + window.location.search;
  const signIn = () => auth.signinRedirect({ state: { returnTo: here } });
  const deepLink = here !== "/" && !here.startsWith(CALLBACK_PATH);
  const pending = auth.isLoading || auth.activeNavigator === "signinRedirect";
  const goes = deepLink && !auth.isAuthenticated && !pending && !auth.error;

  // biome-ignore lint/correctness/useExhaustiveDependencies: once per visit; the functions are made anew each time
  useEffect(() => {
    // Whoever follows a link to a page wants that page, not a button.
    if (goes) void signIn();
  }, [goes]);

  if (auth.isAuthenticated) return children;
  if (auth.error && !pending) {
    return (
      <Splash>
        <ErrorPanel title="Signing in did not work" error={auth.error} onRetry={signIn} retryLabel="Sign in again" />
      </Splash>
    );
  }
  if (pending || goes) return <Splash busy />;
  return (
    <Splash>
      <Stack align="center" gap="lg">
        <Text c="dimmed" ta="center">
          Build assistants, train them, talk to them and learn from their conversations.
        </Text>
        <Button size="md" leftSection={<IconLogin2 size={20} aria-hidden />} onClick={signIn} autoFocus>
          Sign in
        </Button>
      </Stack>
    </Splash>
  );
}
