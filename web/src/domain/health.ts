/** The state of an assistant in words: one label, one sentence, one tone. */
import type { Assistant, Condition } from "@/api/types";

export type Tone = "good" | "busy" | "warning" | "bad" | "idle";

export interface Health {
  tone: Tone;
  label: string;
  detail: string;
}

export function conditionOf(conditions: Condition[], type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

function holds(assistant: Assistant, type: string): Condition | undefined {
  const condition = conditionOf(assistant.conditions, type);
  return condition?.status === "True" ? condition : undefined;
}

/** What somebody who glances at a list has to know; the most urgent thing wins. */
export function healthOf(assistant: Assistant): Health {
  const stalled = holds(assistant, "Stalled");
  if (stalled) {
    return assistant.available
      ? {
          tone: "warning",
          label: "Needs attention",
          detail: `Still answering with the last good model. ${stalled.message}`,
        }
      : { tone: "bad", label: "Stopped", detail: stalled.message };
  }
  if (assistant.paused) return { tone: "idle", label: "Paused", detail: "Nothing is changed until it is resumed." };
  const degraded = holds(assistant, "Degraded");
  if (degraded) return { tone: "warning", label: "Degraded", detail: degraded.message };
  if (assistant.ready && conditionOf(assistant.conditions, "Running")?.reason === "Asleep")
    return { tone: "idle", label: "Asleep", detail: "The newest content is trained; it runs once somebody starts it." };
  if (assistant.ready) {
    return assistant.available
      ? { tone: "good", label: "Answering", detail: "The newest content is trained and answers." }
      : { tone: "good", label: "Ready", detail: "The newest content is trained; no engine is wanted." };
  }
  return underWay(assistant);
}

function underWay(assistant: Assistant): Health {
  const { training, available } = assistant;
  const still = available ? " The last model answers meanwhile." : "";
  if (conditionOf(assistant.conditions, "ContentReady")?.reason === "NotPublished")
    return { tone: "idle", label: "Not published", detail: "Write its content, then publish it." };
  if (training?.state === "Queued") {
    const place = training.position ? `Number ${training.position} in the queue.` : "In the queue.";
    return { tone: "busy", label: "Waiting to train", detail: place + still };
  }
  if (training?.state === "Running") return { tone: "busy", label: "Training", detail: `A new model is made.${still}` };
  const trained = conditionOf(assistant.conditions, "Trained");
  const running = conditionOf(assistant.conditions, "Running");
  if (trained?.status === "True" && running?.status !== "True")
    return { tone: "busy", label: "Starting", detail: running?.message || "The engine loads the model." };
  if (available) return { tone: "busy", label: "Updating", detail: `Something newer is on its way.${still}` };
  const ready = conditionOf(assistant.conditions, "Ready");
  return { tone: "busy", label: "Getting ready", detail: ready?.message || "The Studio has just begun." };
}

/** The steps from content to answers, in their order. */
const STEPS = [
  { type: "StudioReady", label: "Studio" },
  { type: "ContentReady", label: "Content" },
  { type: "Trained", label: "Training" },
  { type: "ActionsReady", label: "Actions" },
  { type: "Running", label: "Engine" },
] as const;

export interface Step {
  type: string;
  label: string;
  tone: Tone;
  condition: Condition | undefined;
}

/** The steps of an assistant with their state; one that it does not have is left out. */
export function stepsOf(assistant: Assistant): Step[] {
  const stalled = holds(assistant, "Stalled");
  return STEPS.flatMap(({ type, label }) => {
    const condition = conditionOf(assistant.conditions, type);
    if (!condition && type === "ActionsReady") return [];
    return [{ type, label, condition, tone: toneOfStep(condition, stalled?.reason) }];
  });
}

function toneOfStep(condition: Condition | undefined, stalledFor: string | undefined): Tone {
  if (!condition) return "idle";
  if (condition.status === "True") return condition.reason === "Warnings" ? "warning" : "good";
  if (condition.status === "Unknown") return "idle";
  if (stalledFor && condition.reason === stalledFor) return "bad";
  return WAITING.has(condition.reason) ? "idle" : "busy";
}

const WAITING = new Set([
  "Pending",
  "NotPublished",
  "NotRequested",
  "NotWanted",
  "NoModel",
  "ContentNotReady",
  "StudioNotReady",
]);

/** Bad news comes first; among equals the newest. */
export function byUrgency(conditions: Condition[]): Condition[] {
  return [...conditions].sort(
    (a, b) => urgency(b) - urgency(a) || (b.last_transition_time ?? "").localeCompare(a.last_transition_time ?? ""),
  );
}

const ALARMS = new Set(["Stalled", "Degraded"]);
const STATES = new Set(["Reconciling", "Paused"]);

function urgency(condition: Condition): number {
  if (ALARMS.has(condition.type)) return 3;
  if (STATES.has(condition.type)) return 1;
  return condition.status === "True" ? 0 : 2;
}

/** The tone of one condition: for most True is good, for alarms it is bad. */
export function toneOf(condition: Condition): Tone {
  if (ALARMS.has(condition.type)) return condition.status === "True" ? "bad" : "good";
  if (STATES.has(condition.type)) return condition.type === "Paused" ? "idle" : "busy";
  if (condition.status === "True") return condition.reason === "Warnings" ? "warning" : "good";
  return condition.status === "Unknown" || WAITING.has(condition.reason) ? "idle" : "busy";
}
