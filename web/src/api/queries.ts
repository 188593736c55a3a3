/** What the screens read. One place for keys, so that live events can say what has changed. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { ConversationFilters } from "@/domain/filters";
import { queryOf } from "@/domain/filters";
import { type Api, data } from "./client";
import type { Assistant, Items, Training } from "./types";

export const keys = {
  me: ["me"],
  status: ["status"],
  assistants: ["assistants"],
  assistant: (name: string) => ["assistant", name],
  content: (name: string) => ["content", name],
  file: (name: string, path: string) => ["content", name, "file", path],
  revisions: (name: string) => ["content", name, "revisions"],
  trainings: ["trainings"],
  training: (id: string) => ["trainings", "one", id],
  transitions: (items: Items, id: string) => [items, "one", id, "transitions"],
  models: (name: string) => ["models", name],
  runs: ["runs"],
  runsOf: (name: string) => ["runs", "of", name],
  run: (id: string) => ["runs", "one", id],
  conversations: ["conversations"],
  conversation: (id: number) => ["conversations", "one", id],
  tags: ["conversations", "tags"],
  deadLetters: ["dead-letters"],
  audit: ["audit"],
};

const PAGE = 50;
const LARGEST_PAGE = 200;

interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

function paged<T>(queryKey: unknown[], read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<T>) => page.next_cursor ?? undefined,
    select: (found) => found.pages.flatMap((page) => page.items),
  });
}

export const me = (api: Api) =>
  queryOptions({
    queryKey: keys.me,
    queryFn: ({ signal }) => data(api.rest.GET("/api/v1/me", { signal })),
    staleTime: 5 * 60_000,
  });

export const status = (api: Api) =>
  queryOptions({
    queryKey: keys.status,
    queryFn: ({ signal }) => data(api.rest.GET("/api/v1/status", { signal })),
  });

/** All assistants: they are few, and the live stream keeps them current. */
export const assistants = (api: Api) =>
  queryOptions({
    queryKey: keys.assistants,
    queryFn: async ({ signal }) => {
      const found: Assistant[] = [];
      let cursor: string | undefined;
      do {
        const query = { limit: LARGEST_PAGE, cursor };
        const page = await data(api.rest.GET("/api/v1/assistants", { params: { query }, signal }));
        found.push(...page.items);
        cursor = page.next_cursor ?? undefined;
      } while (cursor);
      return found;
    },
  });

export const assistant = (api: Api, name: string) =>
  queryOptions({
    queryKey: keys.assistant(name),
    queryFn: ({ signal }) =>
      data(api.rest.GET("/api/v1/assistants/{assistant}", { params: { path: { assistant: name } }, signal })),
  });

export const content = (api: Api, name: string) =>
  queryOptions({
    queryKey: keys.content(name),
    queryFn: ({ signal }) =>
      data(api.rest.GET("/api/v1/assistants/{assistant}/content", { params: { path: { assistant: name } }, signal })),
  });

export const revisions = (api: Api, name: string) =>
  paged(keys.revisions(name), (cursor, signal) =>
    data(
      api.rest.GET("/api/v1/assistants/{assistant}/content/revisions", {
        params: { path: { assistant: name }, query: { limit: PAGE, cursor } },
        signal,
      }),
    ),
  );

export interface TrainingFilters {
  assistant?: string;
  state?: Training["state"];
}

export const trainings = (api: Api, filters: TrainingFilters = {}) =>
  paged([...keys.trainings, filters], (cursor, signal) =>
    data(api.rest.GET("/api/v1/trainings", { params: { query: { ...filters, limit: PAGE, cursor } }, signal })),
  );

export const training = (api: Api, id: string) =>
  queryOptions({
    queryKey: keys.training(id),
    queryFn: ({ signal }) => data(api.rest.GET("/api/v1/trainings/{id}", { params: { path: { id } }, signal })),
  });

export const transitions = (api: Api, items: Items, id: string) =>
  queryOptions({
    queryKey: keys.transitions(items, id),
    queryFn: async ({ signal }) =>
      (await data(api.rest.GET(`/api/v1/${items}/{id}/transitions`, { params: { path: { id } }, signal }))).items,
  });

export const models = (api: Api, name: string) =>
  paged(keys.models(name), (cursor, signal) =>
    data(
      api.rest.GET("/api/v1/assistants/{assistant}/models", {
        params: { path: { assistant: name }, query: { limit: PAGE, cursor } },
        signal,
      }),
    ),
  );

export const runs = (api: Api, name: string) =>
  queryOptions({
    queryKey: keys.runsOf(name),
    queryFn: async ({ signal }) => {
      const query = { assistant: name, limit: PAGE };
      return (await data(api.rest.GET("/api/v1/runs", { params: { query }, signal }))).items;
    },
  });

export const run = (api: Api, id: string) =>
  queryOptions({
    queryKey: keys.run(id),
    queryFn: ({ signal }) => data(api.rest.GET("/api/v1/runs/{id}", { params: { path: { id } }, signal })),
  });

export const conversations = (api: Api, filters: ConversationFilters) =>
  paged([...keys.conversations, "list", filters], (cursor, signal) =>
    data(
      api.rest.GET("/api/v1/conversations", {
        params: { query: { ...queryOf(filters), limit: PAGE, cursor } },
        signal,
      }),
    ),
  );

export const conversation = (api: Api, id: number) =>
  queryOptions({
    queryKey: keys.conversation(id),
    queryFn: ({ signal }) => data(api.rest.GET("/api/v1/conversations/{id}", { params: { path: { id } }, signal })),
  });

export const tags = (api: Api) =>
  queryOptions({
    queryKey: keys.tags,
    queryFn: async ({ signal }) => (await data(api.rest.GET("/api/v1/conversation-tags", { signal }))).items,
  });

export const deadLetters = (api: Api) =>
  paged(keys.deadLetters, (cursor, signal) =>
    data(api.rest.GET("/api/v1/dead-letters", { params: { query: { limit: PAGE, cursor } }, signal })),
  );

export const audit = (api: Api) =>
  paged(keys.audit, (cursor, signal) =>
    data(api.rest.GET("/api/v1/audit", { params: { query: { limit: PAGE, cursor } }, signal })),
  );
