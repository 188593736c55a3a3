import { describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/problem";
import { EventParser, follow, type ServerEvent } from "@/api/sse";

function response(...chunks: string[]): Response {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });
  return new Response(body);
}

describe("the parser", () => {
  it("joins what comes in pieces", () => {
    const parser = new EventParser();
    expect(parser.push("event: li")).toEqual([]);
    expect(parser.push("ne\r")).toEqual([]);
    expect(parser.push("\nid: 7\ndata: a\ndata: b\n\n")).toEqual([{ event: "line", data: "a\nb", id: "7" }]);
  });

  it("skips comments and events without data, and keeps the last id", () => {
    const parser = new EventParser();
    expect(parser.push("id: 1\ndata: x\n\n: ping\n\nevent: e\n\ndata:y\n\n")).toEqual([
      { event: "message", data: "x", id: "1" },
      { event: "message", data: "y", id: "1" },
    ]);
  });

  it.each([1, 2, 3, 5])("does not mind chunks of %d characters", (size) => {
    const text = "event: a\r\ndata: 1\r\n\r\ndata: 2\n\nevent: b\rdata: 3\r\r";
    const parser = new EventParser();
    const found: ServerEvent[] = [];
    for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
    // A lone CR at the very end may still become CRLF.
    found.push(...parser.push("\n"));
    expect(found.map(({ event, data }) => `${event}${data}`)).toEqual(["a1", "message2", "b3"]);
  });
});

describe("following", () => {
  const signal = () => new AbortController().signal;
  const delay = () => 0;

  it("goes on after a break with the last id", async () => {
    const asked: (string | null)[] = [];
    const lines: string[] = [];
    await follow({
      signal: signal(),
      delay,
      open: async (id) => {
        asked.push(id);
        if (asked.length === 2) throw new TypeError("no network");
        return asked.length === 1
          ? response("id: 1\ndata: a\n\n")
          : response("id: 2\ndata: b\n\n", "event: end\ndata: {}\n\n");
      },
      onEvent: ({ event, data }) => {
        if (event !== "end") lines.push(data);
        return event === "end";
      },
    });
    expect(asked).toEqual([null, "1", "1"]);
    expect(lines).toEqual(["a", "b"]);
  });

  it("gives up when it is refused for good", async () => {
    const refused = follow({
      signal: signal(),
      delay,
      open: async () => new Response(JSON.stringify({ title: "No", detail: "not yours" }), { status: 403 }),
      onEvent: () => false,
    });
    await expect(refused).rejects.toEqual(expect.objectContaining({ status: 403, message: "not yours" }));
    await expect(refused).rejects.toBeInstanceOf(ApiError);
  });

  it("tries again when the server is not ready", async () => {
    let asked = 0;
    await follow({
      signal: signal(),
      delay,
      open: async () => {
        asked += 1;
        return asked < 3 ? new Response("", { status: 503 }) : response("data: x\n\n");
      },
      onEvent: () => true,
    });
    expect(asked).toBe(3);
  });

  it("does not wait longer because a steady stream has ended", async () => {
    const now = vi.spyOn(Date, "now");
    const waits: number[] = [];
    let clock = 0;
    now.mockImplementation(() => clock);
    const stop = new AbortController();
    await follow({
      signal: stop.signal,
      delay: (attempt) => {
        waits.push(attempt);
        if (waits.length === 4) stop.abort();
        return 0;
      },
      open: async () => {
        clock += waits.length < 2 ? 1_000 : 600_000;
        return response(": heartbeat\n\n");
      },
      onEvent: () => false,
    });
    expect(waits).toEqual([0, 1, 0, 0]);
  });

  it("ends without a word when it is aborted", async () => {
    const stop = new AbortController();
    const following = follow({
      signal: stop.signal,
      delay: () => 60_000,
      open: async () => response(),
      onEvent: () => false,
      onBreak: () => stop.abort(),
    });
    await expect(following).resolves.toBeUndefined();
  });
});
