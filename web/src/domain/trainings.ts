import type { Training } from "@/api/types";
import type { Tone } from "./health";
import { sentence } from "./reasons";

export const STATES: Training["state"][] = ["Queued", "Running", "Succeeded", "Failed", "Cancelled", "Superseded"];

const TONES: Record<Training["state"], Tone> = {
  Queued: "idle",
  Running: "busy",
  Succeeded: "good",
  Failed: "bad",
  Cancelled: "idle",
  Superseded: "idle",
};

export function toneOfTraining(state: string): Tone {
  return TONES[state as Training["state"]] ?? "idle";
}

export function isActive(training: Pick<Training, "state">): boolean {
  return training.state === "Queued" || training.state === "Running";
}

/** What it waits for while it is queued, and for how long, as far as that is known; else nothing. */
export function waitOf({ state, waits_for, starts_in }: Pick<Training, "state" | "waits_for" | "starts_in">): string {
  if (state !== "Queued" || !waits_for) return "";
  const words = sentence(waits_for);
  if (starts_in === null || starts_in === undefined) return words;
  return `${words} It may start ${starts_in < 60 ? "within a minute" : `in about ${Math.round(starts_in / 60)} min`}.`;
}

/** "Queued, number 3" while there is a number. */
export function labelOf({ state, position }: Pick<Training, "state" | "position">): string {
  return state === "Queued" && position ? `Queued, number ${position}` : state;
}
