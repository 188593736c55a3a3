import { describe, expect, it } from "vitest";
import {
  changedSlots,
  entitiesOf,
  listens,
  rankingOf,
  slotsAfter,
  slotsAfterEach,
  summaryOf,
  turnsOf,
} from "@/domain/tracker";
import { event } from "../support/examples";

const listen = event(9, "action", { action: "action_listen" });

describe("slots", () => {
  it("are as they were after each event", () => {
    const events = [
      event(1, "slot", { data: { name: "day", value: "Friday" } }),
      event(2, "user"),
      event(3, "slot", { data: { name: "day", value: null } }),
    ];
    expect(slotsAfterEach(events)).toEqual([{ day: "Friday" }, { day: "Friday" }, { day: null }]);
  });

  it("go with a restart", () => {
    expect(slotsAfter([event(1, "slot", { data: { name: "day", value: 1 } }), event(2, "restart")])).toEqual({});
  });

  it("that differ are named, also in their depth", () => {
    expect(changedSlots({ a: [1], b: 1 }, { a: [1, 2], b: 1, c: null })).toEqual(new Set(["a", "c"]));
  });
});

describe("turns", () => {
  it("begin with a message; what comes first is a turn without one", () => {
    const turns = turnsOf([event(1, "session_started"), event(2, "user"), event(3, "bot"), event(4, "user")]);
    expect(turns.map(({ message, events }) => [message?.seq, events.length])).toEqual([
      [undefined, 1],
      [2, 2],
      [4, 1],
    ]);
  });

  it("end when the assistant listens", () => {
    expect(listens([event(1, "user"), listen])).toBe(true);
    expect(listens([listen, event(10, "user")])).toBe(false);
  });
});

describe("what was understood", () => {
  it("is ranked by confidence", () => {
    const ranking = [
      { name: "bye", confidence: 0.1 },
      { name: "greet", confidence: 0.9 },
    ];
    const message = event(1, "user", { data: { parse_data: { intent_ranking: ranking } } });
    expect(rankingOf(message).map(({ name }) => name)).toEqual(["greet", "bye"]);
  });

  it("falls back to the intent of the event", () => {
    expect(rankingOf(event(1, "user", { intent: "greet", confidence: 0.5 }))).toEqual([
      { name: "greet", confidence: 0.5 },
    ]);
    expect(rankingOf(event(1, "user"))).toEqual([]);
  });

  it("has the entities that are some", () => {
    const message = event(1, "user", { data: { parse_data: { entities: [{ entity: "day", value: 5 }, "nonsense"] } } });
    expect(entitiesOf(message)).toHaveLength(1);
  });
});

it("every event has one line", () => {
  expect(summaryOf(event(1, "slot", { data: { name: "n", value: { a: 1 } } }))).toBe('n = {"a":1}');
  expect(summaryOf(event(1, "active_loop", { data: { name: null } }))).toBe("loop ends");
  expect(summaryOf(listen)).toBe("action_listen");
});
