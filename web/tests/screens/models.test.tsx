import { screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, describe, expect, it } from "vitest";
import type { Model } from "@/api/types";
import { assistant, model, person } from "../support/examples";
import { openPage } from "../support/pages";
import { API, pageOf, problem, server } from "../support/server";

const MODELS = `${API}/assistants/concert-hall/models`;

/** Models that can be tagged, as the API does it. */
function modelsAre(...list: Model[]) {
  const found = new Map(list.map((each) => [each.version, each]));
  const change = (version: unknown, change: (tags: string[]) => string[]) => {
    const before = found.get(String(version));
    if (before) found.set(before.version, { ...before, tags: change(before.tags ?? []) });
    return new HttpResponse(null, { status: 204 });
  };
  server.use(
    http.get(`${API}/assistants/concert-hall`, () => HttpResponse.json(assistant())),
    http.get(MODELS, () => pageOf([...found.values()])),
    http.put(`${MODELS}/:version/tags/:tag`, ({ params }) =>
      change(params.version, (tags) => [...tags, String(params.tag)]),
    ),
    http.delete(`${MODELS}/:version/tags/:tag`, ({ params }) =>
      change(params.version, (tags) => tags.filter((tag) => tag !== params.tag)),
    ),
  );
}

describe("models", () => {
  beforeEach(() => modelsAre(model({ tags: ["good"] }), model({ version: "2", parent: null, seconds: null })));

  it("show their tags, what they followed, and how long they took", async () => {
    openPage("/assistants/concert-hall/models");
    const row = within((await screen.findByText("Model 3")).closest("tr") as HTMLElement);
    expect(row.getByText("good")).toBeTruthy();
    expect(row.getByText("after model 2")).toBeTruthy();
    expect(row.getByText("took 1 min 35 s")).toBeTruthy();
  });

  it("are tagged and untagged", async () => {
    const { user } = openPage("/assistants/concert-hall/models");
    await user.click(await screen.findByRole("button", { name: "Add a tag to model 2" }));
    await user.type(screen.getByRole("textbox", { name: "New tag of model 2" }), "v1.0{Enter}");
    expect(await screen.findByText("v1.0")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Take the tag good of model 3 away" }));
    await waitFor(() => expect(screen.queryByText("good")).toBeNull());
  });

  it("say why a tag was not added", async () => {
    server.use(http.put(`${MODELS}/:version/tags/:tag`, () => problem(409, "the model has 20 tags already")));
    const { user } = openPage("/assistants/concert-hall/models");
    await user.click(await screen.findByRole("button", { name: "Add a tag to model 2" }));
    await user.type(screen.getByRole("textbox", { name: "New tag of model 2" }), "more{Enter}");
    expect(await screen.findByText(/the model has 20 tags already/)).toBeTruthy();
  });

  it("keep their tags from who may only read", async () => {
    const permissions = ["assistants.read", "models.read"];
    server.use(http.get(`${API}/me`, () => HttpResponse.json(person({ permissions }))));
    openPage("/assistants/concert-hall/models");
    expect(await screen.findByText("good")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Add a tag to model 2" })).toBeNull();
    expect(screen.queryByRole("button", { name: "Take the tag good of model 3 away" })).toBeNull();
  });
});
