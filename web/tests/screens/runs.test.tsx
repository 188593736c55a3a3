import { screen } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, describe, expect, it } from "vitest";
import { assistant, person, run } from "../support/examples";
import { openPage } from "../support/pages";
import { API, pageOf, problem, server, streamOf } from "../support/server";

const { id } = run();
const line = (number: number, text: string) =>
  `id: 1.${number}\nevent: line\ndata: ${JSON.stringify({ line: text })}\n\n`;
const end = 'event: end\ndata: {"state": "Stopped"}\n\n';

describe("the runs of an assistant", () => {
  beforeEach(() => server.use(http.get(`${API}/assistants/concert-hall`, () => HttpResponse.json(assistant()))));

  it("tell which one serves, and one is stopped only after a question", async () => {
    let stopped = 0;
    server.use(
      http.get(`${API}/runs`, () => pageOf([run()])),
      http.post(`${API}/assistants/concert-hall/run/stop`, () => {
        stopped += 1;
        return HttpResponse.json(run({ state: "Draining" }));
      }),
    );
    const { user } = openPage("/assistants/concert-hall/runs");
    expect(await screen.findByText("Serves")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Stop concert-hall" }));
    expect(stopped).toBe(0);
    await user.click(await screen.findByRole("button", { name: "Stop assistant" }));
    expect(await screen.findByText(`${id} is being stopped.`)).toBeTruthy();
    expect(stopped).toBe(1);
  });

  it("are started by hand where nothing runs", async () => {
    server.use(
      http.get(`${API}/runs`, () => pageOf([run({ state: "Stopped", serving: false, message: "stopped by ann" })])),
      http.post(`${API}/assistants/concert-hall/run/start`, () => HttpResponse.json(run({ state: "Queued" }))),
    );
    const { user } = openPage("/assistants/concert-hall/runs");
    expect(await screen.findByText("stopped by ann")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Start concert-hall" }));
    expect(await screen.findByText(`${id} is being started.`)).toBeTruthy();
  });

  it("tell what they wait for", async () => {
    const queued = run({ state: "Queued", serving: false, message: "to run version 3", waits_for: "it is next" });
    server.use(http.get(`${API}/runs`, () => pageOf([queued])));
    openPage("/assistants/concert-hall/runs");
    expect(await screen.findByText("It is next.")).toBeTruthy();
    expect(screen.queryByText("to run version 3")).toBeNull();
  });

  it("say why they are not started", async () => {
    server.use(
      http.get(`${API}/runs`, () => pageOf([])),
      http.post(`${API}/assistants/concert-hall/run/start`, () => problem(409, "there is no model of it to run yet")),
    );
    const { user } = openPage("/assistants/concert-hall/runs");
    await user.click(await screen.findByRole("button", { name: "Start concert-hall" }));
    expect(await screen.findByText(/there is no model of it to run yet/)).toBeTruthy();
  });

  it("are only looked at by who may not change them", async () => {
    const permissions = ["assistants.read", "runs.read"];
    server.use(
      http.get(`${API}/me`, () => HttpResponse.json(person({ permissions }))),
      http.get(`${API}/runs`, () => pageOf([run()])),
    );
    openPage("/assistants/concert-hall/runs");
    expect(await screen.findByText(id)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Stop concert-hall" })).toBeNull();
  });
});

describe("a run", () => {
  const history = [
    { at: "2026-11-21T08:00:00Z", who: "concert-hall", from_state: null, to_state: "Queued", reason: "Requested" },
    { at: "2026-11-21T08:00:01Z", who: "consumer-0", from_state: "Queued", to_state: "Starting", reason: "Claimed" },
  ];
  beforeEach(() => server.use(http.get(`${API}/runs/${id}/transitions`, () => pageOf(history))));

  it("follows its log to the end", async () => {
    server.use(
      http.get(`${API}/runs/${id}`, () => HttpResponse.json(run())),
      http.get(`${API}/runs/${id}/log`, () => streamOf(line(1, "Rasa server is up") + end)),
    );
    openPage(`/runs/${id}`);
    expect(await screen.findByRole("log", { name: "Run log" })).toBeTruthy();
    expect(await screen.findByText("Rasa server is up")).toBeTruthy();
    expect(await screen.findByText("Complete")).toBeTruthy();
  });

  it("says who changed it, and why", async () => {
    server.use(
      http.get(`${API}/runs/${id}`, () => HttpResponse.json(run())),
      http.get(`${API}/runs/${id}/log`, () => streamOf("")),
    );
    openPage(`/runs/${id}`);
    expect(await screen.findByText("Queued → Starting")).toBeTruthy();
    expect(screen.getByText("consumer-0")).toBeTruthy();
    expect(screen.getByText("It has been taken up")).toBeTruthy();
  });

  it("that is not there is not found", async () => {
    server.use(http.get(`${API}/runs/nothing`, () => problem(404, "there is no run nothing")));
    openPage("/runs/nothing");
    expect(await screen.findByRole("heading", { name: "Not found" })).toBeTruthy();
  });
});
