import { screen } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { assistant, training } from "../support/examples";
import { openPage } from "../support/pages";
import { API, pageOf, server, streamOf } from "../support/server";

const { id } = training();
const line = (number: number, text: string) =>
  `id: ${number}\nevent: line\ndata: ${JSON.stringify({ line: text })}\n\n`;
const end = 'event: end\ndata: {"state": "Succeeded"}\n\n';

function trainingIs(but: Parameters<typeof training>[0], history: object[] = []) {
  server.use(
    http.get(`${API}/trainings/${id}`, () => HttpResponse.json(training(but))),
    http.get(`${API}/trainings/${id}/transitions`, () => pageOf(history)),
  );
}

describe("a training", () => {
  it("follows its log to the end", async () => {
    trainingIs({});
    server.use(http.get(`${API}/trainings/${id}/log`, () => streamOf(line(1, "Epochs: 1/30") + line(2, "done") + end)));
    openPage(`/trainings/${id}`);
    expect(await screen.findByText("Epochs: 1/30")).toBeTruthy();
    expect(await screen.findByText("Complete")).toBeTruthy();
  });

  it("says in words why it failed and what to do", async () => {
    trainingIs({ state: "Failed", reason: "OutOfMemory", message: "The engine was ended at 2 GiB." });
    server.use(http.get(`${API}/trainings/${id}/log`, () => streamOf(end)));
    openPage(`/trainings/${id}`);
    expect(await screen.findByText("The engine needs more memory than it may use")).toBeTruthy();
    expect(screen.getByText("The engine was ended at 2 GiB.")).toBeTruthy();
    expect(screen.getByText(/Raise the memory limit/)).toBeTruthy();
  });

  it("is cancelled only after a question", async () => {
    let cancelled = 0;
    trainingIs({});
    server.use(
      http.get(`${API}/trainings/${id}/log`, () => streamOf("")),
      http.post(`${API}/trainings/${id}/cancel`, () => {
        cancelled += 1;
        return HttpResponse.json(training({ state: "Cancelled" }));
      }),
    );
    const { user } = openPage(`/trainings/${id}`);
    await user.click(await screen.findByRole("button", { name: `Cancel ${id}` }));
    expect(cancelled).toBe(0);
    await user.click(await screen.findByRole("button", { name: "Cancel training" }));
    expect(await screen.findByText(`${id} is being cancelled.`)).toBeTruthy();
    expect(cancelled).toBe(1);
  });
});

describe("a training that", () => {
  it("has ended is repeated", async () => {
    const again = training({ id: "concert-hall-t2-abcde", state: "Queued", position: 1 });
    trainingIs({ state: "Cancelled", reason: "Cancelled" });
    server.use(
      http.get(`${API}/trainings/:id/log`, () => streamOf("")),
      http.post(`${API}/trainings/${id}/retry`, () => HttpResponse.json(again, { status: 201 })),
      http.get(`${API}/trainings/${again.id}`, () => HttpResponse.json(again)),
      http.get(`${API}/trainings/${again.id}/transitions`, () => pageOf([])),
    );
    const { user } = openPage(`/trainings/${id}`);
    await user.click(await screen.findByRole("button", { name: `Repeat ${id}` }));
    expect(await screen.findByRole("heading", { name: again.id })).toBeTruthy();
  });

  it("waits says for what, and is moved", async () => {
    let priority: unknown;
    const waits_for = "it is next; the only consumer is busy";
    trainingIs({ state: "Queued", position: 1, waits_for, starts_in: 130, priority: 2 });
    server.use(
      http.get(`${API}/trainings/${id}/log`, () => streamOf("")),
      http.post(`${API}/trainings/${id}/priority`, async ({ request }) => {
        priority = await request.json();
        return HttpResponse.json(training({ state: "Queued", position: 4 }));
      }),
    );
    const { user } = openPage(`/trainings/${id}`);
    expect(await screen.findByText(/the only consumer is busy. It may start in about 2 min./)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: `Move ${id}` }));
    const field = await screen.findByRole("textbox", { name: "Priority" });
    await user.clear(field);
    await user.type(field, "-7");
    await user.click(screen.getByRole("button", { name: "Move training" }));
    expect(await screen.findByText(`${id} is number 4 in the queue.`)).toBeTruthy();
    expect(priority).toEqual({ priority: -7 });
  });

  it("is under way shows how far it is, where the engine tells", async () => {
    trainingIs({ progress: { step: "DIETClassifier", percent: 40 } });
    server.use(http.get(`${API}/trainings/${id}/log`, () => streamOf("")));
    openPage(`/trainings/${id}`);
    const bar = await screen.findByRole("progressbar", { name: "Progress of DIETClassifier" });
    expect(bar.getAttribute("aria-valuenow")).toBe("40");
    expect(screen.getByText("DIETClassifier, 40 %")).toBeTruthy();
  });

  it("was changed says by whom, and why", async () => {
    const history = [
      { at: "2026-11-21T08:00:00Z", who: "ann", from_state: null, to_state: "Queued", reason: "Requested" },
      {
        at: "2026-11-21T08:00:05Z",
        who: "consumer-0",
        from_state: "Queued",
        to_state: "Running",
        reason: "Claimed",
        message: "the first attempt",
        attempt: 1,
      },
    ];
    trainingIs({}, history);
    server.use(http.get(`${API}/trainings/${id}/log`, () => streamOf("")));
    openPage(`/trainings/${id}`);
    expect(await screen.findByText("ann")).toBeTruthy();
    expect(screen.getByText("Queued → Running")).toBeTruthy();
    expect(screen.getByText("It has been taken up")).toBeTruthy();
    expect(screen.getByText("the first attempt")).toBeTruthy();
  });
});

it("the queue shows places, and asks for what the address says", async () => {
  let asked = "";
  server.use(
    http.get(`${API}/assistants`, () => pageOf([])),
    http.get(`${API}/trainings`, ({ request }) => {
      asked = new URL(request.url).search;
      return pageOf([training({ state: "Queued", position: 4, reason: "Requested" })]);
    }),
  );
  openPage("/trainings?state=Queued&assistant=concert-hall");
  expect(await screen.findByText("Queued, number 4")).toBeTruthy();
  expect(asked).toContain("state=Queued");
  expect(asked).toContain("assistant=concert-hall");
});

it("the queue says what is waited for, and for how long", async () => {
  const waits_for = "1 training is ahead; the only consumer is busy";
  server.use(
    http.get(`${API}/assistants`, () => pageOf([])),
    http.get(`${API}/trainings`, () => pageOf([training({ state: "Queued", position: 2, waits_for, starts_in: 130 })])),
  );
  openPage("/trainings");
  expect(
    await screen.findByText("1 training is ahead; the only consumer is busy. It may start in about 2 min."),
  ).toBeTruthy();
});

it("a training that is not needed is only said", async () => {
  const model = {
    version: "3",
    fingerprint: "f",
    sha256: "0",
    size: 1,
    trained_at: "2026-11-21T08:00:00Z",
    training: id,
    engine_image: "engine",
  };
  server.use(
    http.get(`${API}/assistants/concert-hall`, () => HttpResponse.json(assistant())),
    http.get(`${API}/trainings`, () => pageOf([])),
    http.post(`${API}/assistants/concert-hall/trainings`, () =>
      HttpResponse.json({ reason: "CacheHit", message: "it is version 3", model }, { status: 200 }),
    ),
  );
  const { user } = openPage("/assistants/concert-hall/trainings");
  await user.click(await screen.findByRole("button", { name: "Request a training" }));
  expect(await screen.findByText("Nothing to train: it is version 3.")).toBeTruthy();
});
