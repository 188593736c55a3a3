/** Live state: one stream of server-sent events per tab writes into the query cache; nothing is polled. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Api } from "./client";
import { useApi } from "./context";
import { keys } from "./queries";
import { follow, type ServerEvent } from "./sse";
import type { Assistant } from "./types";

/** A hidden tab gives its connection back: browsers open six per origin, and HTTP/1.1 streams hold one each. */
const HIDDEN_GRACE = 30_000;
/** Many changes at once cause one reading each of what depends on them. */
const GATHERING = 1_000;

export type Liveness = "connecting" | "live" | "broken";

/** Follows the assistants while the tab is visible, and says whether the picture is current. */
export function useLiveAssistants(): Liveness {
  const api = useApi();
  const cache = useQueryClient();
  const [liveness, setLiveness] = useState<Liveness>("connecting");
  const visible = useVisible();

  useEffect(() => {
    if (!visible) return;
    const stop = new AbortController();
    void followAssistants(api, cache, stop.signal, setLiveness);
    return () => stop.abort();
  }, [api, cache, visible]);
  return liveness;
}

async function followAssistants(
  api: Api,
  cache: QueryClient,
  signal: AbortSignal,
  report: (liveness: Liveness) => void,
): Promise<void> {
  const gathered = gather((names) => refreshDependants(cache, names));
  try {
    await follow({
      signal,
      open: (id, signal) => api.open("/assistants/events", streamInit(id, signal)),
      onOpen: () => {
        report("live");
        // What happened while nobody listened is in no event.
        void cache.invalidateQueries({ queryKey: keys.assistants });
      },
      onBreak: (error) => error && report("broken"),
      onEvent: (event) => {
        const name = applyEvent(cache, event);
        if (name) gathered.add(name);
        return false;
      },
    });
  } catch {
    report("broken");
  } finally {
    gathered.cancel();
  }
}

/** The request of a stream that goes on after the given event. */
export function streamInit(lastEventId: string | null, signal: AbortSignal): RequestInit {
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (lastEventId !== null) headers["Last-Event-ID"] = lastEventId;
  return { headers, signal };
}

/** Writes one event into the cache; returns the assistant whose trainings, models or runs may differ now. */
export function applyEvent(cache: QueryClient, { event, data }: ServerEvent): string | null {
  if (event === "assistant") {
    const assistant = JSON.parse(data) as Assistant;
    const before = cache.getQueryData<Assistant[]>(keys.assistants)?.find(({ name }) => name === assistant.name);
    cache.setQueryData<Assistant[]>(keys.assistants, (list) => list && upserted(list, assistant));
    cache.setQueryData(keys.assistant(assistant.name), assistant);
    return before && signature(before) === signature(assistant) ? null : assistant.name;
  }
  if (event === "deleted") {
    const { name } = JSON.parse(data) as { name: string };
    cache.setQueryData<Assistant[]>(keys.assistants, (list) => list?.filter((each) => each.name !== name));
    void cache.invalidateQueries({ queryKey: keys.assistant(name) });
    return name;
  }
  return null;
}

function upserted(list: Assistant[], assistant: Assistant): Assistant[] {
  return list.some(({ name }) => name === assistant.name)
    ? list.map((each) => (each.name === assistant.name ? assistant : each))
    : [...list, assistant];
}

function signature({ training, model, run, published_revision }: Assistant): string {
  return JSON.stringify([training, model?.version, run, published_revision]);
}

function refreshDependants(cache: QueryClient, names: string[]): void {
  void cache.invalidateQueries({ queryKey: keys.trainings });
  void cache.invalidateQueries({ queryKey: keys.status });
  void cache.invalidateQueries({ queryKey: keys.runs });
  for (const name of names) void cache.invalidateQueries({ queryKey: keys.models(name) });
}

function gather(flush: (names: string[]) => void) {
  const names = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    add(name: string) {
      names.add(name);
      timer ??= setTimeout(() => {
        timer = undefined;
        flush([...names]);
        names.clear();
      }, GATHERING);
    },
    cancel: () => clearTimeout(timer),
  };
}

/** Whether somebody may be looking; false only after the tab was hidden for a while. */
function useVisible(): boolean {
  const [visible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const changed = () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => setVisible(false), HIDDEN_GRACE);
      else setVisible(true);
    };
    document.addEventListener("visibilitychange", changed);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", changed);
    };
  }, []);
  return visible;
}
