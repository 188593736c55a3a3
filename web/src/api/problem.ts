/** Errors of the API (RFC 9457, application/problem+json) as one class that every screen can show. */

export interface FieldProblem {
  field: string;
  message: string;
}

export interface Problem {
  title: string;
  status: number;
  detail?: string | null;
  request_id?: string | null;
  errors?: FieldProblem[] | null;
}

export class ApiError extends Error {
  readonly status: number;
  readonly title: string;
  readonly requestId: string | null;
  readonly fields: FieldProblem[];

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.status = problem.status;
    this.title = problem.title;
    this.requestId = problem.request_id ?? null;
    this.fields = problem.errors ?? [];
  }

  /** Whether the same request may succeed a moment later. */
  get passing(): boolean {
    return this.status === 429 || this.status >= 502;
  }
}

const TITLES: Record<number, string> = {
  401: "You are signed out",
  403: "Not allowed",
  404: "Not found",
  409: "Somebody else was faster",
  412: "Changed in the meantime",
  413: "Too large",
  429: "Too many requests",
  502: "The Studio does not answer",
  503: "The Studio is not ready",
  504: "The Studio takes too long",
};

/** The problem in an answer, whatever stood in front of the API: a proxy's HTML page becomes a sentence, too. */
export function problemOf(status: number, body: unknown, requestId: string | null): ApiError {
  const given = isObject(body) ? body : {};
  return new ApiError({
    status,
    title: text(given.title) ?? TITLES[status] ?? `The request failed (${status})`,
    detail: text(given.detail),
    request_id: text(given.request_id) ?? requestId,
    errors: Array.isArray(given.errors) ? (given.errors as FieldProblem[]) : [],
  });
}

/** Reads the problem from a failed answer. */
export async function readProblem(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => null);
  return problemOf(response.status, body, response.headers.get("x-request-id"));
}

/** The sentence to show for anything that was thrown. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof DOMException && error.name === "TimeoutError")
    return "The Studio did not answer in time. Check the connection and try again.";
  if (error instanceof TypeError) return "The Studio cannot be reached. Check the connection and try again.";
  return error instanceof Error ? error.message : String(error);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function text(value: unknown): string | null {
  return typeof value === "string" && value ? value : null;
}
