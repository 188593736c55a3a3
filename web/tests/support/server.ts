import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { person } from "./examples";

export const API = "http://localhost:8180/api/v1";

/** An API that knows somebody who may do everything, and nothing else. */
export const server = setupServer(
  http.get(`${API}/me`, () => HttpResponse.json(person())),
  http.get(`${API}/assistants/events`, () => streamOf("")),
);

/** A list as the API gives it. */
export function pageOf(items: unknown[], next_cursor: string | null = null) {
  return HttpResponse.json({ items, next_cursor });
}

export function problem(status: number, detail: string, more: object = {}) {
  return HttpResponse.json(
    { type: "about:blank", title: "No", status, detail, request_id: "req-1", ...more },
    { status, headers: { "Content-Type": "application/problem+json", "X-Request-Id": "req-1" } },
  );
}

/** A stream of server-sent events that stays open after the given text. */
export function streamOf(text: string) {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
  });
  return new HttpResponse(body, { headers: { "Content-Type": "text/event-stream" } });
}
