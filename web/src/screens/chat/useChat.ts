import { useCallback, useEffect, useRef, useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import type { TrackerEvent } from "@/api/types";
import { listens } from "@/domain/tracker";
import { byBot, byUser, fromEvents, type Said } from "./transcript";

/** Seconds of one long poll. */
const WAIT = 10;
/** Milliseconds after a message for which its events are waited for: they come by way of the event broker. */
const PATIENCE = 30_000;
/** A server with too many waiting answers at once; that must not become a storm. */
const PAUSE = 1_000;

export type EventState = "current" | "waiting" | "late";

export interface Chat {
  said: Said[];
  events: TrackerEvent[];
  eventState: EventState;
  sending: boolean;
  error: unknown;
  send: (text: string, shown?: string) => Promise<void>;
}

/** A conversation with an assistant under one sender. Nothing is asked of the server while nobody says anything. */
export function useChat(assistant: string, sender: string): Chat {
  const api = useApi();
  const [said, setSaid] = useState<Said[]>([]);
  const [events, setEvents] = useState<TrackerEvent[]>([]);
  const [eventState, setEventState] = useState<EventState>("current");
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const seen = useRef(0);
  const lifetime = useRef(new AbortController());
  const polling = useRef(false);
  const number = useRef(0);
  /** Messages of the user: those whose events are stored, and those that were sent. */
  const users = useRef({ stored: 0, sent: 0 });
  const until = useRef(0);

  const read = useCallback(
    async (wait: number) => {
      const path = { assistant, sender };
      const query = { after_seq: seen.current, wait };
      const { signal } = lifetime.current;
      const answer = api.rest.GET("/api/v1/assistants/{assistant}/chat/{sender}/events", {
        params: { path, query },
        signal,
      });
      const { events: found } = await data(answer);
      const last = found.at(-1);
      if (last && !signal.aborted) {
        seen.current = last.seq;
        users.current.stored += found.filter(({ type }) => type === "user").length;
        setEvents((all) => [...all, ...found]);
      }
      return found;
    },
    [api, assistant, sender],
  );

  useEffect(() => {
    const stop = new AbortController();
    lifetime.current = stop;
    seen.current = 0;
    users.current = { stored: 0, sent: 0 };
    setSaid([]);
    setEvents([]);
    setError(null);
    setEventState("current");
    read(0).then(
      (found) => {
        if (stop.signal.aborted) return;
        users.current.sent += users.current.stored;
        setSaid((now) => (now.length ? now : fromEvents(found)));
      },
      (problem) => stop.signal.aborted || setError(problem),
    );
    return () => stop.abort();
  }, [read]);

  const follow = useCallback(async () => {
    until.current = Date.now() + PATIENCE;
    if (polling.current) return;
    polling.current = true;
    const { signal } = lifetime.current;
    setEventState("waiting");
    try {
      while (Date.now() < until.current && !signal.aborted) {
        const found = await read(WAIT);
        if (users.current.stored >= users.current.sent && listens(found)) {
          setEventState("current");
          return;
        }
        if (!found.length) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
      if (!signal.aborted) setEventState("late");
    } catch {
      if (!signal.aborted) setEventState("late");
    } finally {
      polling.current = false;
    }
  }, [read]);

  const send = useCallback(
    async (text: string, shown = text) => {
      const { signal } = lifetime.current;
      number.current += 1;
      const turn = number.current;
      setSaid((all) => [...all, byUser(shown, `u${turn}`)]);
      users.current.sent += 1;
      setSending(true);
      setError(null);
      try {
        const body = { sender, message: text };
        const answer = api.rest.POST("/api/v1/assistants/{assistant}/chat", {
          params: { path: { assistant } },
          body,
          signal,
        });
        const { messages } = await data(answer);
        setSaid((all) => [...all, ...messages.map((message, place) => byBot(message, `b${turn}-${place}`))]);
        void follow();
      } catch (problem) {
        if (!signal.aborted) setError(problem);
      } finally {
        setSending(false);
      }
    },
    [api, assistant, sender, follow],
  );
  return { said, events, eventState, sending, error, send };
}
