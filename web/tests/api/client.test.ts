import { HttpResponse, http } from "msw";
import { describe, expect, it, vi } from "vitest";
import { Api, data } from "@/api/client";
import { ApiError, explain, problemOf } from "@/api/problem";
import { person } from "../support/examples";
import { API, problem, server } from "../support/server";

const session = (renew: () => Promise<string | null> = async () => null) => ({ token: async () => "old", renew });

describe("the client", () => {
  it("sends the token and an id of the request", async () => {
    let headers = new Headers();
    server.use(
      http.get(`${API}/me`, ({ request }) => {
        headers = request.headers;
        return HttpResponse.json(person());
      }),
    );
    await data(new Api("/api/v1", session()).rest.GET("/api/v1/me"));
    expect(headers.get("authorization")).toBe("Bearer old");
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("renews the session once for many requests and repeats each", async () => {
    const renew = vi.fn(async () => "new");
    server.use(
      http.get(`${API}/me`, ({ request }) =>
        request.headers.get("authorization") === "Bearer new" ? HttpResponse.json(person()) : problem(401, "expired"),
      ),
    );
    const api = new Api("/api/v1", session(renew));
    const found = await Promise.all([1, 2, 3].map(() => data(api.rest.GET("/api/v1/me"))));
    expect(found).toHaveLength(3);
    expect(renew).toHaveBeenCalledTimes(1);
  });

  it("repeats a request with its body", async () => {
    const bodies: string[] = [];
    server.use(
      http.put(`${API}/x`, async ({ request }) => {
        bodies.push(await request.text());
        return bodies.length === 1 ? problem(401, "expired") : new HttpResponse(null, { status: 204 });
      }),
    );
    await new Api(
      "/api/v1",
      session(async () => "new"),
    ).raw("/x", { method: "PUT", body: "text" });
    expect(bodies).toEqual(["text", "text"]);
  });

  it("follows the API to where config.json says it is", async () => {
    server.use(http.get("http://localhost:8180/elsewhere/me", () => HttpResponse.json(person())));
    await expect(data(new Api("/elsewhere", session()).rest.GET("/api/v1/me"))).resolves.toMatchObject({
      username: "maria",
    });
  });

  it("throws problems with their fields and the id of the request", async () => {
    server.use(http.get(`${API}/me`, () => problem(422, "bad", { errors: [{ field: "name", message: "too long" }] })));
    const error = await data(new Api("/api/v1", session()).rest.GET("/api/v1/me")).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 422, message: "bad", requestId: "req-1" });
    expect(error.fields).toEqual([{ field: "name", message: "too long" }]);
  });
});

describe("problems", () => {
  it("make a sentence of a proxy's page", () => {
    expect(problemOf(502, null, "id-7")).toMatchObject({ title: "The Studio does not answer", requestId: "id-7" });
  });

  it("say whether another try makes sense", () => {
    expect(problemOf(503, null, null).passing).toBe(true);
    expect(problemOf(409, null, null).passing).toBe(false);
  });

  it("explain a lost network", () => expect(explain(new TypeError("fetch failed"))).toMatch(/cannot be reached/));
});
