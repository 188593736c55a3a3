/**
 * Server-sent events over fetch: EventSource cannot send a bearer token.
 * Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import { ApiError, readProblem } from "./problem";

export interface ServerEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Turns chunks of a stream into events; keeps what is incomplete for the next chunk. */
export class EventParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | null = null;

  /** The events that `chunk` completes. */
  push(chunk: string): ServerEvent[] {
    // A carriage return at the end may be half of a line break: it waits for the next chunk.
    const text = this.#rest + chunk;
    const end = text.endsWith("\r") ? text.length - 1 : text.length;
    const lines = text.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + text.slice(end);
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerEvent[] {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return [];
  }

  #dispatch(): ServerEvent[] {
    const { length } = this.#data;
    const event = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
    this.#event = "";
    this.#data = [];
    return length ? [event] : [];
  }
}

export interface Following {
  /** Opens the stream; called again after every break. */
  open: (lastEventId: string | null, signal: AbortSignal) => Promise<Response>;
  /** Handles one event; true ends the following. */
  onEvent: (event: ServerEvent) => boolean | undefined;
  /** Told whenever the stream opens (with whether it is a repetition) and breaks. */
  onOpen?: (again: boolean) => void;
  onBreak?: (error: unknown) => void;
  signal: AbortSignal;
  /** Milliseconds to wait before attempt n (0-based); for tests. */
  delay?: (attempt: number) => number;
}

const LONGEST_DELAY = 30_000;
/** A stream that held for so long was no failed attempt: servers end streams after some minutes, as they should. */
const STEADY = 10_000;

/** Exponential back-off from half a second, with full jitter so that a crowd of browsers does not return at once. */
export function backOff(attempt: number): number {
  return Math.random() * Math.min(LONGEST_DELAY, 500 * 2 ** attempt) + 200;
}

/**
 * Follows a stream until it says so, is aborted, or the server refuses it for good (4xx), which is thrown.
 * Breaks are mended: the last id is sent again, so nothing is missed or repeated where the server keeps ids.
 */
export async function follow({ open, onEvent, onOpen, onBreak, signal, delay = backOff }: Following): Promise<void> {
  let lastEventId: string | null = null;
  let opened = false;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const begun = Date.now();
    try {
      const response = await open(lastEventId, signal);
      if (!response.ok || !response.body) throw await readProblem(response);
      onOpen?.(opened);
      opened = true;
      for await (const event of eventsOf(response.body)) {
        attempt = 0;
        lastEventId = event.id ?? lastEventId;
        if (onEvent(event)) return;
      }
      onBreak?.(null);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !error.passing && error.status < 500) throw error;
      onBreak?.(error);
    }
    if (Date.now() - begun > STEADY) attempt = 0;
    await pause(delay(attempt), signal);
  }
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Nobody waits for it: a server need not answer to a connection that is given up.
    void reader.cancel().catch(() => undefined);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, signal.aborted ? 0 : milliseconds);
    signal.addEventListener("abort", done);
  });
}
