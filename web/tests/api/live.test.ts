import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { applyEvent } from "@/api/live";
import { keys } from "@/api/queries";
import type { Assistant } from "@/api/types";
import { assistant, assistantTraining } from "../support/examples";

function cacheWith(...list: Assistant[]) {
  const cache = new QueryClient();
  cache.setQueryData(keys.assistants, list);
  return cache;
}

const told = (changed: Assistant) => ({ event: "assistant", data: JSON.stringify(changed), id: null });

it("a change is written where both list and page look", () => {
  const cache = cacheWith(assistant());
  const training = assistantTraining({ position: 1 });
  expect(applyEvent(cache, told(assistant({ training })))).toBe("concert-hall");
  expect(cache.getQueryData<Assistant[]>(keys.assistants)?.[0]?.training?.id).toBe("t");
  expect(cache.getQueryData<Assistant>(keys.assistant("concert-hall"))?.training?.id).toBe("t");
});

it("a new assistant is added", () => {
  const cache = cacheWith(assistant());
  applyEvent(cache, told(assistant({ name: "other" })));
  expect(cache.getQueryData<Assistant[]>(keys.assistants)).toHaveLength(2);
});

it("a change that concerns no training and no model makes nobody read", () => {
  expect(applyEvent(cacheWith(assistant()), told(assistant({ paused: true })))).toBeNull();
});

it("a deleted assistant goes", () => {
  const cache = cacheWith(assistant());
  expect(applyEvent(cache, { event: "deleted", data: '{"name":"concert-hall"}', id: null })).toBe("concert-hall");
  expect(cache.getQueryData<Assistant[]>(keys.assistants)).toEqual([]);
});

it("events of a newer server are no problem", () => {
  expect(applyEvent(cacheWith(), { event: "news", data: "?", id: null })).toBeNull();
});
