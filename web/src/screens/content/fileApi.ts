/** Reading and writing one file of a draft, with the tag that tells whether somebody else wrote in between. */
import type { Api } from "@/api/client";

export interface FileText {
  text: string;
  etag: string | null;
}

function address(name: string, path: string): string {
  return `/assistants/${name}/content/files/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** Raises ApiError. */
export async function readFile(api: Api, name: string, path: string, signal?: AbortSignal): Promise<FileText> {
  const response = await api.raw(address(name, path), { signal });
  return { text: await response.text(), etag: response.headers.get("etag") };
}

/** Writes and returns the new tag. With `etag` it raises ApiError 412 if the file is not that one any more. */
export async function writeFile(
  api: Api,
  name: string,
  path: string,
  text: string,
  etag: string | null,
): Promise<string | null> {
  const headers: Record<string, string> = { "Content-Type": "text/plain; charset=utf-8" };
  if (etag) headers["If-Match"] = etag;
  const response = await api.raw(address(name, path), { method: "PUT", body: text, headers });
  return response.headers.get("etag");
}

/** Raises ApiError. */
export async function deleteFile(api: Api, name: string, path: string): Promise<void> {
  await api.raw(address(name, path), { method: "DELETE" });
}
