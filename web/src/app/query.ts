import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/problem";
import { backOff } from "@/api/sse";

const TRIES = 3;

/** Nothing is read again on a timer; what failed for a passing reason is tried again, what was refused is not. */
export function queryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        retry: (failures, error) =>
          failures < TRIES && (error instanceof ApiError ? error.passing : error instanceof TypeError),
        retryDelay: backOff,
      },
    },
  });
}
