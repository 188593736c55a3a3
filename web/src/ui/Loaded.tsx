import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ErrorPanel } from "./ErrorPanel";
import { ListSkeleton } from "./PageSkeleton";

interface Props<T> {
  query: Pick<UseQueryResult<T> | UseInfiniteQueryResult<T>, "data" | "error" | "refetch" | "isFetching">;
  skeleton?: ReactNode;
  children: (data: T) => ReactNode;
}

/** A skeleton while it loads, the error with a retry, or the content; old content stays beside an error. */
export function Loaded<T>({ query, skeleton = <ListSkeleton />, children }: Props<T>) {
  const { data, error, refetch } = query;
  return (
    <>
      {error && <ErrorPanel error={error} onRetry={() => void refetch()} />}
      {data !== undefined ? children(data as T) : !error && skeleton}
    </>
  );
}
