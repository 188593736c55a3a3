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

function trainingIs(but: Parameters<typeof training>[0]) {
  server.use(http.get(`${API}/trainings/${id}`, () => HttpResponse.json(training(but))));
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
