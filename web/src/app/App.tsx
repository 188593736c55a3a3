import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { SessionGate } from "@/auth/SessionGate";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { Splash } from "@/ui/Splash";
import { type Installation, publicAddress, readInstallation } from "./boot";
import { queryClient } from "./query";
import { theme, variables } from "./theme";

const queries = queryClient();

export function App({ nonce }: { nonce: string }) {
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      cssVariablesResolver={variables}
      getStyleNonce={() => nonce}
    >
      <Notifications position="bottom-right" limit={4} />
      <QueryClientProvider client={queries}>
        <Boot />
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Reads the installation before anything else: without it nobody can sign in. */
function Boot() {
  const [installation, setInstallation] = useState<Installation | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt is a new reading
  useEffect(() => {
    let current = true;
    setError(null);
    readInstallation().then(
      (found) => {
        if (!current) return;
        const elsewhere = import.meta.env.PROD && publicAddress(window.location, found.server.public_url);
        if (elsewhere) window.location.replace(elsewhere);
        else setInstallation(found);
      },
      (problem) => current && setError(problem),
    );
    return () => {
      current = false;
    };
  }, [attempt]);

  if (installation) return <SessionGate installation={installation} />;
  if (error) {
    return (
      <Splash>
        <ErrorPanel title="The Studio does not answer yet" error={error} onRetry={() => setAttempt(attempt + 1)} />
      </Splash>
    );
  }
  return <Splash busy />;
}
