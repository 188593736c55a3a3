import type { Training } from "@/api/types";
import type { Tone } from "./health";

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

/** "Queued, number 3" while there is a number. */
export function labelOf({ state, position }: Pick<Training, "state" | "position">): string {
  return state === "Queued" && position ? `Queued, number ${position}` : state;
}
