import type { Run } from "@/api/types";
import type { Tone } from "./health";
import { sentence } from "./reasons";

const TONES: Record<Run["state"], Tone> = {
  Queued: "idle",
  Warming: "busy",
  Starting: "busy",
  Ready: "good",
  Draining: "busy",
  Stopped: "idle",
  Failed: "bad",
};

export function toneOfRun(state: string): Tone {
  return TONES[state as Run["state"]] ?? "idle";
}

/** Whether it answers, or will. One that is only warmed, and so has no model yet, does not count. */
export function isUnderWay({ state, model_version }: Pick<Run, "state" | "model_version">): boolean {
  return model_version !== "" && state !== "Stopped" && state !== "Failed";
}

/** What it waits for while it is queued; else nothing. */
export function waitOf({ state, waits_for }: Pick<Run, "state" | "waits_for">): string {
  return state === "Queued" && waits_for ? sentence(waits_for) : "";
}
