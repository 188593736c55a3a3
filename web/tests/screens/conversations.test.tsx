import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { conversation, event, person } from "../support/examples";
import { openPage } from "../support/pages";
import { API, pageOf, server } from "../support/server";

describe("the list of conversations", () => {
  it("asks for what the address says, and page by page", async () => {
    const asked: URLSearchParams[] = [];
    server.use(
      http.get(`${API}/assistants`, () => pageOf([])),
      http.get(`${API}/conversation-tags`, () => pageOf([])),
      http.get(`${API}/conversations`, ({ request }) => {
        const { searchParams } = new URL(request.url);
        asked.push(searchParams);
        return searchParams.has("cursor")
          ? pageOf([conversation({ id: 2, preview: "bye" })])
          : pageOf([conversation()], "next");
      }),
    );
    const { user } = openPage("/conversations?intent=greet&max_confidence=0.6&flagged=true");
    await screen.findByText("hello");
    await user.click(screen.getByRole("button", { name: "Show more" }));
    expect(await screen.findByText("bye")).toBeTruthy();
    expect(asked[0]?.get("intent")).toBe("greet");
    expect(asked[0]?.get("max_confidence")).toBe("0.6");
    expect(asked[0]?.get("flagged")).toBe("true");
    expect(asked.at(-1)?.get("cursor")).toBe("next");
  });

  it("writes a filter into the address", async () => {
    server.use(
      http.get(`${API}/assistants`, () => pageOf([])),
      http.get(`${API}/conversation-tags`, () => pageOf([])),
      http.get(`${API}/conversations`, () => pageOf([])),
    );
    const { user, address } = openPage("/conversations");
    await user.type(await screen.findByLabelText("Intent"), "greet");
    await waitFor(() => expect(address()).toBe("/conversations?intent=greet"));
    expect(await screen.findByText("No conversation matches")).toBeTruthy();
  });
});

describe("one conversation", () => {
  const events = [
    event(1, "user", { text: "hello", intent: "greet", confidence: 0.98 }),
    event(2, "bot", { text: "Hi!" }),
    event(3, "user", { text: "parking?", intent: "nlu_fallback", confidence: 0.4 }),
  ];

  function stored(but: object = {}) {
    server.use(
      http.get(`${API}/conversations/1`, () => HttpResponse.json(conversation({ events, ...but }))),
      http.get(`${API}/conversation-tags`, () => pageOf([])),
    );
  }

  it("opens the turn that was chosen, and puts it into the address", async () => {
    stored();
    const { user, address } = openPage("/conversations/1");
    await user.click(await screen.findByRole("button", { name: "hello" }));
    await waitFor(() => expect(address()).toBe("/conversations/1?event=1"));
    expect(await screen.findByLabelText("Confidence of greet")).toBeTruthy();
  });

  it("takes tags, and flags about the message that is inspected", async () => {
    let flag: unknown;
    let tagged = "";
    stored();
    server.use(
      http.put(`${API}/conversations/1/tags/:tag`, ({ params }) => {
        tagged = String(params.tag);
        return new HttpResponse(null, { status: 204 });
      }),
      http.post(`${API}/conversations/1/flags`, async ({ request }) => {
        flag = await request.json();
        return HttpResponse.json({}, { status: 201 });
      }),
    );
    const { user } = openPage("/conversations/1");
    await user.type(await screen.findByPlaceholderText("Add a tag"), "parking lot{Enter}");
    await waitFor(() => expect(tagged).toBe("parking lot"));
    await user.type(screen.getByLabelText("Reason of a new flag"), "not understood{Enter}");
    await waitFor(() => expect(flag).toEqual({ reason: "not understood", event_seq: 3 }));
  });

  it("is only read by who may only read", async () => {
    const permissions = ["conversations.read"];
    server.use(http.get(`${API}/me`, () => HttpResponse.json(person({ permissions }))));
    stored();
    openPage("/conversations/1");
    expect(await screen.findByText("Hi!")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Delete" })).toBeNull();
    expect(screen.queryByLabelText("New tag")).toBeNull();
  });

  it("is deleted only after a question, and leads back to the list", async () => {
    stored();
    server.use(
      http.delete(`${API}/conversations/1`, () => new HttpResponse(null, { status: 204 })),
      http.get(`${API}/conversations`, () => pageOf([])),
      http.get(`${API}/assistants`, () => pageOf([])),
    );
    const { user, address } = openPage("/conversations/1");
    await user.click(await screen.findByRole("button", { name: "Delete" }));
    await user.click(await screen.findByRole("button", { name: "Delete conversation" }));
    await waitFor(() => expect(address()).toBe("/conversations"));
  });
});
