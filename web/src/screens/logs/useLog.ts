import { useEffect, useReducer, useState } from "react";
import { useApi } from "@/api/context";
import { streamInit } from "@/api/live";
import { follow } from "@/api/sse";
import type { Items } from "@/api/types";
import { appended, EMPTY_LOG, type LogBuffer } from "@/domain/log";

/** Lines that stay on the page; the whole log can be downloaded. */
export const KEPT_LINES = 5_000;
/** New lines are drawn ten times a second at most: an engine can write thousands. */
const DRAWING = 100;

export type LogState = "opening" | "following" | "broken" | "ended";

export interface FollowedLog {
  log: LogBuffer;
  state: LogState;
  error: unknown;
}

/** Where the API has the log of a training or of a run. */
export const logOf = (items: Items, id: string) => `/${items}/${encodeURIComponent(id)}/log`;

/** Follows the log at an address; goes on after a break where it was. `onEnd` is told when nothing more will come. */
export function useLog(path: string, onEnd: () => void): FollowedLog {
  const api = useApi();
  const [log, append] = useReducer(
    (log: LogBuffer, lines: string[] | null) => (lines ? appended(log, lines, KEPT_LINES) : EMPTY_LOG),
    EMPTY_LOG,
  );
  const [state, setState] = useState<LogState>("opening");
  const [error, setError] = useState<unknown>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: onEnd is made anew with every drawing
  useEffect(() => {
    const stop = new AbortController();
    let waiting: string[] = [];
    const draw = () => {
      if (waiting.length) append(waiting);
      waiting = [];
    };
    const drawing = setInterval(draw, DRAWING);
    append(null);
    setError(null);
    setState("opening");
    follow({
      signal: stop.signal,
      open: (lastId, signal) => api.open(path, streamInit(lastId, signal)),
      onOpen: () => setState("following"),
      onBreak: (problem) => problem && setState("broken"),
      onEvent: ({ event, data }) => {
        if (event === "line") waiting.push((JSON.parse(data) as { line: string }).line);
        return event === "end";
      },
    })
      .then(() => {
        if (stop.signal.aborted) return;
        setState("ended");
        onEnd();
      })
      .catch((problem) => {
        setError(problem);
        setState("ended");
      })
      .finally(() => {
        clearInterval(drawing);
        if (!stop.signal.aborted) draw();
      });
    return () => {
      stop.abort();
      clearInterval(drawing);
    };
  }, [api, path]);
  return { log, state, error };
}
