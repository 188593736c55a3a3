import { Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { ago, exact } from "@/domain/time";

/** One clock for all relative times on the page. */
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 15_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** How long ago, with the exact time at hand. */
export function Ago({ at }: { at: string | null | undefined }) {
  const current = useSyncExternalStore(subscribe, () => now);
  if (!at) return <span>–</span>;
  return (
    <Tooltip label={exact(at)}>
      <time dateTime={at}>{ago(at, Math.max(current, 0))}</time>
    </Tooltip>
  );
}
