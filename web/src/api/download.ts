/** Downloads that need a bearer token: a plain link cannot carry one. */
import type { Api } from "./client";

/** Fetches `path` and gives it to the browser as a file. Raises ApiError. */
export async function download(api: Api, path: string, fileName: string): Promise<void> {
  const response = await api.raw(path, { limit: null });
  save(await response.blob(), fileName);
}

/** Gives bytes to the browser as a file. */
export function save(blob: Blob, fileName: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  // The browser has taken its own reference by the next turn.
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
