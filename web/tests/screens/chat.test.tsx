import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { TrackerEvent } from "@/api/types";
import { assistant, event } from "../support/examples";
import { openPage } from "../support/pages";
import { API, problem, server } from "../support/server";

const PAGE = "/assistants/concert-hall/try?sender=try-1";
const CHAT = `${API}/assistants/concert-hall/chat`;
const listen = (seq: number) => event(seq, "action", { action: "action_listen" });

/** An assistant that greets with two choices, and a store that gets the events a moment later. */
function talking() {
  const said: string[] = [];
  let stored: TrackerEvent[] = [];
  let polls = 0;
  server.use(
    http.get(`${API}/assistants/concert-hall`, () => HttpResponse.json(assistant())),
    http.post(CHAT, async ({ request }) => {
      const { message } = (await request.json()) as { message: string };
      said.push(message);
      const seq = said.length * 10;
      stored = [
        ...stored,
        event(seq, "user", { text: message, intent: "greet", confidence: 0.9 }),
        event(seq + 1, "slot", { data: { name: "day", value: "Friday" } }),
        listen(seq + 2),
      ];
      const buttons = [{ title: "Buy tickets", payload: "/buy" }];
      return HttpResponse.json({
        sender: "try-1",
        messages: [{ text: `You said ${message}`, image: null, buttons, custom: null }],
      });
    }),
    http.get(`${CHAT}/try-1/events`, ({ request }) => {
      polls += 1;
      const after = Number(new URL(request.url).searchParams.get("after_seq"));
      return HttpResponse.json({ events: stored.filter(({ seq }) => seq > after) });
    }),
  );
  return { said, polls: () => polls };
}

describe("trying an assistant", () => {
  it("answers, and the inspector shows what was understood", async () => {
    talking();
    const { user } = openPage(PAGE);
    await user.type(await screen.findByLabelText("Message"), "hello{Enter}");
    expect(await screen.findByText("You said hello")).toBeTruthy();
    expect(await screen.findByText("day = Friday")).toBeTruthy();
    expect(screen.getByRole("region", { name: "Slots after this turn" }).textContent).toContain("was none");
  });

  it("sends the payload of a button", async () => {
    const { said } = talking();
    const { user } = openPage(PAGE);
    await user.type(await screen.findByLabelText("Message"), "hello{Enter}");
    await user.click(await screen.findByRole("button", { name: "Buy tickets" }));
    await waitFor(() => expect(said).toEqual(["hello", "/buy"]));
  });

  it("asks for no events while nobody says anything", async () => {
    const { polls } = talking();
    const { user } = openPage(PAGE);
    await user.type(await screen.findByLabelText("Message"), "hello{Enter}");
    await screen.findByText("Up to date");
    await screen.findByText("day = Friday");
    expect(polls()).toBe(2);
  });

  it("starts over under another name", async () => {
    talking();
    server.use(http.get(`${CHAT}/:sender/events`, () => HttpResponse.json({ events: [] })));
    const { user, address } = openPage(PAGE);
    await user.click(await screen.findByRole("button", { name: "Start over" }));
    await waitFor(() => expect(address()).toMatch(/sender=try-[0-9a-f]{8}$/));
  });

  it("says why there is no answer", async () => {
    talking();
    server.use(http.post(CHAT, () => problem(409, "concert-hall does not answer now.")));
    const { user } = openPage(PAGE);
    await user.type(await screen.findByLabelText("Message"), "hello{Enter}");
    expect(await screen.findByText("concert-hall does not answer now.")).toBeTruthy();
  });
});
