import { screen } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { training } from "../support/examples";
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
