import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import type { ReactNode } from "react";
import { describe, expect, it } from "vitest";
import { Api } from "@/api/client";
import { ApiContext } from "@/api/context";
import { useFile } from "@/screens/content/useFile";
import { assistant } from "../support/examples";
import { openPage, session } from "../support/pages";
import { API, problem, server } from "../support/server";

const CONTENT = `${API}/assistants/concert-hall/content`;

/** A store of one file that knows optimistic locking. */
function stored(text: string) {
  const file = { text, etag: '"1"' };
  server.use(
    http.get(`${CONTENT}/files/data/nlu.yml`, () => new HttpResponse(file.text, { headers: { ETag: file.etag } })),
    http.put(`${CONTENT}/files/data/nlu.yml`, async ({ request }) => {
      const match = request.headers.get("if-match");
      if (match && match !== file.etag) return problem(412, "changed by jonas");
      file.text = await request.text();
      file.etag = `"${Number(file.etag.slice(1, -1)) + 1}"`;
      return new HttpResponse(null, { status: 204, headers: { ETag: file.etag } });
    }),
  );
  return file;
}

async function opened() {
  const api = new Api("/api/v1", session);
  const queries = new QueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queries}>
      <ApiContext value={api}>{children}</ApiContext>
    </QueryClientProvider>
  );
  const { result, unmount } = renderHook(() => useFile("concert-hall", "data/nlu.yml"), { wrapper });
  await waitFor(() => expect(result.current.text).not.toBeNull());
  return { file: result, unmount };
}

describe("a file of the draft", () => {
  it("is saved, again and again", async () => {
    const store = stored("a");
    const { file } = await opened();
    for (const text of ["b", "c"]) {
      act(() => file.current.edit(text));
      expect(file.current.dirty).toBe(true);
      await act(() => file.current.save());
      expect(file.current.dirty).toBe(false);
      expect(store.text).toBe(text);
    }
  });

  it("is not written over what somebody else has written", async () => {
    const store = stored("a");
    const { file } = await opened();
    Object.assign(store, { text: "theirs", etag: '"9"' });
    act(() => file.current.edit("mine"));
    await act(() => file.current.save());
    expect(file.current.conflict).toBe(true);
    expect(store.text).toBe("theirs");
    await act(() => file.current.overwrite());
    expect(store.text).toBe("mine");
    expect(file.current.conflict).toBe(false);
  });

  it("gives way to what somebody else has written, when asked to", async () => {
    const store = stored("a");
    const { file } = await opened();
    Object.assign(store, { text: "theirs", etag: '"9"' });
    act(() => file.current.edit("mine"));
    await act(() => file.current.save());
    await act(() => file.current.reload());
    expect(file.current).toMatchObject({ text: "theirs", dirty: false, conflict: false });
  });

  it("keeps what was typed when the page goes away", async () => {
    stored("a");
    const first = await opened();
    act(() => first.file.current.edit("typed"));
    first.unmount();
    const { file } = await opened();
    expect(file.current).toMatchObject({ text: "typed", dirty: true, conflict: false });
  });
});

describe("the page of the content", () => {
  it("shows the tree and publishes with a message", async () => {
    let message: unknown;
    server.use(
      http.get(`${API}/assistants/concert-hall`, () => HttpResponse.json(assistant())),
      http.get(CONTENT, () =>
        HttpResponse.json({
          draft: {
            files: [{ path: "data/nlu.yml", size: 1, updated_at: "2026-11-21T08:00:00Z", updated_by: "maria" }],
            changed: true,
          },
          published: null,
        }),
      ),
      http.post(`${CONTENT}/publish`, async ({ request }) => {
        message = await request.json();
        return HttpResponse.json({ revision: 1, sha256: "x" }, { status: 201 });
      }),
    );
    const { user } = openPage("/assistants/concert-hall/content");
    expect(await screen.findByRole("link", { name: "nlu.yml" })).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Publish" }));
    await user.type(await screen.findByLabelText("What has changed"), "first");
    const buttons = await screen.findAllByRole("button", { name: "Publish" });
    await user.click(buttons.at(-1) as HTMLElement);
    expect(await screen.findByText(/Revision 1 is published/)).toBeTruthy();
    expect(message).toEqual({ message: "first" });
  });
});
