import { useRouter } from "@tanstack/react-router";
import { ErrorPanel } from "./ErrorPanel";
import { Page } from "./Page";

/** The last net: a screen that could not be loaded or drawn. */
export function PageError({ error }: { error: unknown }) {
  const router = useRouter();
  return (
    <Page title="Something went wrong">
      <ErrorPanel error={error} onRetry={() => router.invalidate()} />
    </Page>
  );
}
