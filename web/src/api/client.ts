/** The one way to the API: bearer token, request id, time limit, one renewal of the session on 401, errors as ApiError. */
import createClient, { type Client } from "openapi-fetch";
import { problemOf, readProblem } from "./problem";
import type { paths } from "./schema";

/** What the API needs to know about the session. */
export interface Session {
  token: () => Promise<string | null>;
  /** Asks for a fresh token; null when the person has to sign in again. */
  renew: () => Promise<string | null>;
}

/** Longer than the longest answer that the API allows itself: 45 seconds for a reply of an engine. */
const TIME_LIMIT = 60_000;
/** Paths of the generated schema carry the prefix that /config.json may move. */
const PREFIX = "/api/v1";

export class Api {
  readonly rest: Client<paths>;
  readonly #session: Session;
  readonly #base: string;
  #renewal: Promise<string | null> | null = null;

  constructor(base: string, session: Session) {
    this.#base = base;
    this.#session = session;
    this.rest = createClient<paths>({
      baseUrl: globalThis.location?.origin ?? "",
      fetch: (request) => this.#send(moved(request, base), TIME_LIMIT),
    });
  }

  /** A request outside of the typed client: streams, files, archives. `path` starts after the prefix. */
  async raw(path: string, init: RequestInit & { limit?: number | null } = {}): Promise<Response> {
    const { limit = TIME_LIMIT, ...rest } = init;
    const response = await this.open(path, rest, limit);
    if (!response.ok) throw await readProblem(response);
    return response;
  }

  /** The same, with a failed answer returned, not thrown. */
  open(path: string, init: RequestInit = {}, limit: number | null = null): Promise<Response> {
    return this.#send(new Request(new URL(this.#base + path, globalThis.location?.origin), init), limit);
  }

  async #send(request: Request, limit: number | null): Promise<Response> {
    const signal = limit === null ? request.signal : AbortSignal.any([request.signal, AbortSignal.timeout(limit)]);
    const attempt = (token: string | null) => {
      const copy = new Request(request.clone(), { signal, credentials: "omit" });
      if (token) copy.headers.set("Authorization", `Bearer ${token}`);
      if (!copy.headers.has("X-Request-Id")) copy.headers.set("X-Request-Id", crypto.randomUUID());
      return fetch(copy);
    };
    const response = await attempt(await this.#session.token());
    if (response.status !== 401) return response;
    const fresh = await this.#renewed();
    return fresh ? attempt(fresh) : response;
  }

  /** Many requests may meet the same expired token: they share one renewal. */
  #renewed(): Promise<string | null> {
    this.#renewal ??= this.#session.renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer of the typed client, or its problem as ApiError. */
export async function data<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data: found, error, response } = await answer;
  if (!response.ok) throw problemOf(response.status, error, response.headers.get("x-request-id"));
  return found as T;
}

function moved(request: Request, base: string): Request {
  if (base === PREFIX) return request;
  const url = new URL(request.url);
  url.pathname = url.pathname.replace(PREFIX, base);
  return new Request(url, request);
}
