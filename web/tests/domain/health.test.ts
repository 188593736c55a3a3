import { describe, expect, it } from "vitest";
import { byUrgency, healthOf, stepsOf, toneOf } from "@/domain/health";
import { assistant, assistantTraining, condition } from "../support/examples";

describe("health in words", () => {
  it("says that a ready assistant answers", () => {
    expect(healthOf(assistant())).toMatchObject({ tone: "good", label: "Answering" });
  });

  it("says that bad content stops nothing that answers", () => {
    const stalled = condition("Stalled", "True", "InvalidContent", "rules.yml: line 3");
    const health = healthOf(assistant({ ready: false, conditions: [stalled] }));
    expect(health.tone).toBe("warning");
    expect(health.detail).toBe("Still answering with the last good model. rules.yml: line 3");
  });

  it("says that nothing answers if nothing does", () => {
    const stalled = condition("Stalled", "True", "InvalidSpec", "spec.source: choose one");
    const health = healthOf(assistant({ ready: false, available: false, conditions: [stalled] }));
    expect(health).toMatchObject({ tone: "bad", label: "Stopped", detail: "spec.source: choose one" });
  });

  it("says that one that nobody uses is asleep", () => {
    const conditions = [condition("Running", "False", "Asleep")];
    expect(healthOf(assistant({ available: false, conditions }))).toMatchObject({ tone: "idle", label: "Asleep" });
  });

  it("ignores alarms that are over", () => {
    expect(healthOf(assistant({ conditions: [condition("Stalled", "False")] })).tone).toBe("good");
  });

  it("tells the place in the queue", () => {
    const training = assistantTraining({ position: 3 });
    const health = healthOf(assistant({ ready: false, available: false, training }));
    expect(health).toMatchObject({ tone: "busy", label: "Waiting to train", detail: "Number 3 in the queue." });
  });

  it("asks for a publication when there was none", () => {
    const conditions = [condition("ContentReady", "False", "NotPublished")];
    expect(healthOf(assistant({ ready: false, available: false, conditions })).label).toBe("Not published");
  });

  it("says that the engine starts once the training is through", () => {
    const conditions = [condition("Trained", "True"), condition("Running", "False", "Loading", "It loads model 3.")];
    expect(healthOf(assistant({ ready: false, conditions }))).toMatchObject({
      label: "Starting",
      detail: "It loads model 3.",
    });
  });
});

describe("steps", () => {
  it("leave out an action server that there is none of", () => {
    expect(stepsOf(assistant()).map(({ label }) => label)).toEqual(["Studio", "Content", "Training", "Engine"]);
  });

  it("mark the one that stopped everything", () => {
    const conditions = [
      condition("Stalled", "True", "InvalidContent"),
      condition("Trained", "False", "InvalidContent"),
    ];
    const steps = stepsOf(assistant({ ready: false, conditions }));
    expect(steps.find(({ type }) => type === "Trained")?.tone).toBe("bad");
  });
});

describe("conditions", () => {
  it("begin with bad news", () => {
    const sorted = byUrgency([
      condition("StudioReady", "True"),
      condition("Reconciling", "True"),
      condition("Trained", "False"),
      condition("Stalled", "True"),
    ]);
    expect(sorted.map(({ type }) => type)).toEqual(["Stalled", "Trained", "Reconciling", "StudioReady"]);
  });

  it("know that a true alarm is bad", () => {
    expect(toneOf(condition("Degraded", "True"))).toBe("bad");
    expect(toneOf(condition("Ready", "True"))).toBe("good");
  });
});
