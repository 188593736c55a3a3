import { Skeleton, Stack } from "@mantine/core";
import classes from "./Page.module.css";

/** The shape of a page while it is on its way. */
export function PageSkeleton() {
  return (
    <div className={classes.page} aria-busy="true" aria-live="polite">
      <Skeleton height={30} width={220} />
      <ListSkeleton />
    </div>
  );
}

export function ListSkeleton({ rows = 5, height = 56 }: { rows?: number; height?: number }) {
  return (
    <Stack gap="sm" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => `row-${row}`).map((key) => (
        <Skeleton key={key} height={height} radius="md" />
      ))}
    </Stack>
  );
}
