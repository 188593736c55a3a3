/** What was said, from the answers of the engine as they come, or from stored events when a chat is opened again. */
import type { ChatReply, TrackerEvent } from "@/api/types";

export interface Said {
  key: string;
  by: "user" | "bot";
  text: string | null;
  image: string | null;
  buttons: { title: string; payload: string }[];
  custom: unknown;
}

export function byUser(text: string, key: string): Said {
  return { key, by: "user", text, image: null, buttons: [], custom: null };
}

export function byBot(reply: ChatReply, key: string): Said {
  const { text, image, custom } = reply;
  return {
    key,
    by: "bot",
    text: text ?? null,
    image: image ?? null,
    buttons: buttonsOf(reply.buttons),
    custom: custom ?? null,
  };
}

/** The transcript of a conversation that is stored already. */
export function fromEvents(events: TrackerEvent[]): Said[] {
  return events.flatMap((event) => {
    if (event.type === "user") return [byUser(event.text ?? "", `e${event.seq}`)];
    if (event.type !== "bot") return [];
    const data = (event.data.data ?? {}) as Partial<ChatReply>;
    return [byBot({ ...EMPTY, ...data, text: event.text }, `e${event.seq}`)];
  });
}

const EMPTY: ChatReply = { text: null, image: null, buttons: null, custom: null };

function buttonsOf(given: unknown): { title: string; payload: string }[] {
  if (!Array.isArray(given)) return [];
  return given.map(({ title, payload }) => ({ title: String(title), payload: String(payload ?? title) }));
}

/** A sender that nobody has used: short enough to be read aloud. */
export function newSender(): string {
  return `try-${crypto.randomUUID().slice(0, 8)}`;
}

export const SENDER = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
