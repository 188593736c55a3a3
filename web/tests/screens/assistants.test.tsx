import { cleanup, screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import type { AssistantTraining } from "@/api/types";
import { assistant, assistantTraining, condition, person } from "../support/examples";
import { openPage } from "../support/pages";
import { API, pageOf, problem, server, streamOf } from "../support/server";

const list = (...items: object[]) => server.use(http.get(`${API}/assistants`, () => pageOf(items)));

describe("the list of assistants", () => {
  it("shows each with its health in words", async () => {
    list(assistant({ display_name: "Concert hall", model: { version: "7", sha256: "a", trained_at: null } }));
    openPage("/assistants");
    expect(await screen.findByRole("link", { name: "Concert hall" })).toBeTruthy();
    expect(screen.getByText("Answering")).toBeTruthy();
    expect(screen.getByText("Model 7")).toBeTruthy();
  });

  it("says what to do when there is none", async () => {
    list();
    openPage("/assistants");
    expect(await screen.findByText("No assistants yet")).toBeTruthy();
    expect(screen.getAllByRole("link", { name: "New assistant" }).length).toBeGreaterThan(0);
  });

  it("offers nothing that the person may not do", async () => {
    server.use(http.get(`${API}/me`, () => HttpResponse.json(person({ permissions: ["assistants.read"] }))));
    list();
    openPage("/assistants");
    expect(await screen.findByText("No assistants yet")).toBeTruthy();
    expect(screen.queryByRole("link", { name: "New assistant" })).toBeNull();
    expect(screen.queryByRole("link", { name: "Conversations" })).toBeNull();
  });

  it("keeps its filter in the address", async () => {
    list(assistant(), assistant({ name: "city-guide" }));
    const { user, address } = openPage("/assistants?q=city");
    expect(await screen.findByRole("link", { name: "city-guide" })).toBeTruthy();
    expect(screen.queryByRole("link", { name: "concert-hall" })).toBeNull();
    await user.clear(screen.getByLabelText("Filter assistants"));
    await waitFor(() => expect(address()).toBe("/assistants"));
    expect(await screen.findByRole("link", { name: "concert-hall" })).toBeTruthy();
  });

  it("changes by itself", async () => {
    list(assistant());
    const training = assistantTraining({ position: 2 });
    const changed = assistant({ ready: false, training });
    server.use(
      http.get(`${API}/assistants/events`, async () => {
        await screen.findByText("Answering");
        return streamOf(`event: assistant\ndata: ${JSON.stringify(changed)}\n\n`);
      }),
      http.get(`${API}/assistants`, () => pageOf([changed])),
    );
    openPage("/assistants");
    expect(await screen.findByText("Waiting to train")).toBeTruthy();
    expect(screen.getByText("Queued, number 2")).toBeTruthy();
  });

  it("shows an error with the id of the request, and tries again", async () => {
    server.use(http.get(`${API}/assistants`, () => problem(500, "the database is away")));
    const { user } = openPage("/assistants");
    expect(await screen.findByText("the database is away")).toBeTruthy();
    expect(screen.getByText("req-1")).toBeTruthy();
    list(assistant());
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("link", { name: "concert-hall" })).toBeTruthy();
  });
});

describe("one assistant", () => {
  it("says that there is none of that name", async () => {
    server.use(http.get(`${API}/assistants/nobody`, () => problem(404, "no")));
    openPage("/assistants/nobody");
    expect(await screen.findByRole("heading", { name: "Not found" })).toBeTruthy();
  });

  it("says what its training waits for, and how far it is", async () => {
    const training = assistantTraining({ position: 2, waits_for: "1 training is ahead; the only consumer is busy" });
    const shown = (training: AssistantTraining) =>
      server.use(http.get(`${API}/assistants/concert-hall`, () => HttpResponse.json(assistant({ training }))));
    shown(training);
    server.use(http.get(`${API}/status`, () => problem(503, "away")));
    openPage("/assistants/concert-hall");
    expect(
      await screen.findByText(/number 2 in the queue. 1 training is ahead; the only consumer is busy./),
    ).toBeTruthy();
    cleanup();
    shown({ ...training, state: "Running", reason: "Training", progress: { step: "DIETClassifier", percent: 40 } });
    openPage("/assistants/concert-hall");
    expect(await screen.findByRole("progressbar", { name: "Progress of DIETClassifier" })).toBeTruthy();
  });

  it("shows conditions with reason and message, and the arithmetic of the slots", async () => {
    const conditions = [condition("Trained", "False", "InvalidContent", "rules.yml: line 3")];
    server.use(
      http.get(`${API}/assistants/concert-hall`, () => HttpResponse.json(assistant({ ready: false, conditions }))),
      http.get(`${API}/status`, () =>
        HttpResponse.json({
          name: "studio",
          namespace: "dev",
          version: "1",
          ready: true,
          conditions: [],
          components: [],
          assistants: 2,
          running_slots: 3,
          ingestion: { lag: 0, dead_letters: 0 },
        }),
      ),
    );
    openPage("/assistants/concert-hall");
    expect(await screen.findByText("InvalidContent")).toBeTruthy();
    expect(screen.getByText("rules.yml: line 3")).toBeTruthy();
    expect(await screen.findByRole("img", { name: "3 slots, 1 of them free" })).toBeTruthy();
  });
});

describe("a new assistant", () => {
  it("gets a name from its title, and goes to its content", async () => {
    let sent: unknown;
    server.use(
      http.post(`${API}/assistants`, async ({ request }) => {
        sent = await request.json();
        return HttpResponse.json(assistant({ name: "city-guide" }), { status: 201 });
      }),
      http.get(`${API}/assistants`, () => pageOf([])),
      http.get(`${API}/assistants/city-guide`, () => HttpResponse.json(assistant({ name: "city-guide" }))),
      http.get(`${API}/assistants/city-guide/content`, () =>
        HttpResponse.json({ draft: { files: [], changed: false }, published: null }),
      ),
    );
    const { user, address } = openPage("/new");
    await user.type(await screen.findByLabelText(/What people call it/), "City Guide");
    await user.click(screen.getByRole("button", { name: "Create assistant" }));
    await waitFor(() => expect(address()).toBe("/assistants/city-guide/content"));
    expect(sent).toEqual({ display_name: "City Guide", name: "city-guide", language: "en", template: "starter" });
  });

  it("says at the field that the name is taken", async () => {
    server.use(http.post(`${API}/assistants`, () => problem(409, "there is a city-guide already")));
    const { user } = openPage("/new");
    await user.type(await screen.findByLabelText(/^Name/), "city-guide");
    await user.click(screen.getByRole("button", { name: "Create assistant" }));
    expect((await screen.findAllByText("there is a city-guide already")).length).toBeGreaterThan(0);
    expect(screen.getByLabelText(/^Name/).getAttribute("aria-invalid")).toBe("true");
  });
});

it("a page that takes another role says which permission it takes", async () => {
  server.use(http.get(`${API}/me`, () => HttpResponse.json(person({ permissions: ["assistants.read"] }))));
  openPage("/conversations");
  expect(await screen.findByText("conversations.read")).toBeTruthy();
});
