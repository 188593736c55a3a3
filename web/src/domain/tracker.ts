/** Reading the events of a conversation: what was understood, what the slots are, which events make one turn. */
import type { TrackerEvent } from "@/api/types";

export interface RankedIntent {
  name: string;
  confidence: number;
}

export interface Entity {
  entity: string;
  value: unknown;
  start?: number;
  end?: number;
  role?: string | null;
  group?: string | null;
}

export type Slots = Record<string, unknown>;

/** A user's message and everything up to the next one. What comes before the first message is turn 0. */
export interface Turn {
  key: number;
  message: TrackerEvent | null;
  events: TrackerEvent[];
}

export function turnsOf(events: TrackerEvent[]): Turn[] {
  const turns: Turn[] = [];
  for (const event of events) {
    if (event.type === "user" || turns.length === 0)
      turns.push({ key: event.seq, message: event.type === "user" ? event : null, events: [] });
    turns.at(-1)?.events.push(event);
  }
  return turns;
}

/** How the engine ranked the intents of a user's message, best first. */
export function rankingOf(event: TrackerEvent): RankedIntent[] {
  const parse = record(record(event.data).parse_data);
  const ranking = Array.isArray(parse.intent_ranking) ? parse.intent_ranking.flatMap(intentOf) : [];
  if (ranking.length) return ranking.sort((a, b) => b.confidence - a.confidence);
  if (event.intent) return [{ name: event.intent, confidence: event.confidence ?? 0 }];
  return intentOf(parse.intent);
}

export function entitiesOf(event: TrackerEvent): Entity[] {
  const { entities } = record(record(event.data).parse_data);
  return Array.isArray(entities) ? entities.filter((entity) => typeof record(entity).entity === "string") : [];
}

/** The slots after each event, as they were then; entry n belongs to event n. */
export function slotsAfterEach(events: TrackerEvent[]): Slots[] {
  let slots: Slots = {};
  return events.map((event) => {
    slots = apply(slots, event);
    return slots;
  });
}

/** The slots at the end. */
export function slotsAfter(events: TrackerEvent[]): Slots {
  return events.reduce(apply, {});
}

function apply(slots: Slots, event: TrackerEvent): Slots {
  if (event.type === "slot") {
    const { name, value } = record(event.data);
    return typeof name === "string" ? { ...slots, [name]: value ?? null } : slots;
  }
  return event.type === "reset_slots" || event.type === "restart" ? {} : slots;
}

/** Names of slots whose value differs. */
export function changedSlots(before: Slots, after: Slots): Set<string> {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return new Set([...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name])));
}

/** One line about an event, for lists. */
export function summaryOf(event: TrackerEvent): string {
  const data = record(event.data);
  switch (event.type) {
    case "user":
    case "bot":
      return event.text || (event.type === "bot" ? "(no text)" : "(empty message)");
    case "action":
      return event.action ?? String(data.name ?? "");
    case "slot":
      return `${String(data.name)} = ${shown(data.value)}`;
    case "active_loop":
      return data.name ? `${String(data.name)} starts` : "loop ends";
    case "session_started":
      return "a session starts";
    default:
      return event.text ?? "";
  }
}

/** A value as JSON, without quotes around plain words. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Whether the assistant has finished its turn: it listens again. */
export function listens(events: TrackerEvent[]): boolean {
  return events.at(-1)?.action === "action_listen";
}

function intentOf(value: unknown): RankedIntent[] {
  const { name, confidence } = record(value);
  return typeof name === "string" ? [{ name, confidence: Number(confidence) || 0 }] : [];
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
