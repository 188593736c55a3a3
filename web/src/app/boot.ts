/** What differs between installations is read at the start, never built in. */
import { readProblem } from "@/api/problem";
import type { ServerConfig } from "@/api/types";

export interface Installation {
  /** Path of the API, such as /api/v1. */
  api: string;
  server: ServerConfig;
}

export async function readInstallation(): Promise<Installation> {
  const { api } = await json<{ api: string }>("/config.json");
  return { api, server: await json<ServerConfig>(`${api}/config`) };
}

async function json<T>(path: string): Promise<T> {
  const response = await fetch(path, { signal: AbortSignal.timeout(15_000), credentials: "omit" });
  if (!response.ok) throw await readProblem(response);
  return response.json() as Promise<T>;
}

/** Where to go when the page was opened under another origin than the one that sign-in returns to; null: it is right. */
export function publicAddress(location: Location, publicUrl: string): string | null {
  if (new URL(publicUrl).origin === location.origin) return null;
  return new URL(location.pathname + location.search, publicUrl).href;
}
