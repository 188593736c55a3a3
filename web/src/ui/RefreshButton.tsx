import { Button } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";

interface Refreshable {
  refetch: () => unknown;
  isFetching: boolean;
}

/** For what has no stream of changes. */
export function RefreshButton({ query }: { query: Refreshable }) {
  return (
    <Button
      variant="default"
      leftSection={<IconRefresh size={16} aria-hidden />}
      loading={query.isFetching}
      onClick={() => void query.refetch()}
    >
      Refresh
    </Button>
  );
}
