import { describe, expect, it } from "vitest";
import { publicAddress } from "@/app/boot";
import { canOf } from "@/auth/permissions";
import { safeReturn, sessionOf, userManager } from "@/auth/session";

const config = {
  public_url: "https://studio.example.org/",
  version: "1",
  issuer: "https://studio.example.org/auth/realms/studio",
  web_client_id: "studio-web",
  cli_client_id: "studio-cli",
  audience: "studio-api",
};

describe("signing in", () => {
  it("uses the code flow and the exact addresses that the issuer knows", () => {
    const { settings } = userManager(config);
    expect(settings).toMatchObject({
      response_type: "code",
      disablePKCE: false,
      redirect_uri: "https://studio.example.org/signed-in",
      post_logout_redirect_uri: "https://studio.example.org/",
    });
  });

  it("keeps nothing in localStorage", async () => {
    const manager = userManager(config);
    await manager.settings.userStore.set("user", "x");
    await manager.settings.stateStore.set("state", "x");
    expect(localStorage).toHaveLength(0);
    expect(sessionStorage.length).toBe(2);
  });

  it("ends the session when it cannot be renewed", async () => {
    const manager = userManager(config);
    manager.signinSilent = async () => {
      throw new Error("refresh token expired");
    };
    await expect(sessionOf(manager).renew()).resolves.toBeNull();
  });
});

describe("the way back", () => {
  it.each(["/conversations?tag=a", "/"])("goes to %s", (returnTo) => expect(safeReturn({ returnTo })).toBe(returnTo));

  it.each(["//evil.example", "/\\evil.example", "https://evil.example", "/signed-in?code=1", undefined, 7])(
    "does not go to %s",
    (returnTo) => expect(safeReturn({ returnTo })).toBe("/"),
  );

  it("leads to the public origin first", () => {
    const at = (href: string) => new URL(href) as unknown as Location;
    expect(publicAddress(at("http://127.0.0.1:8180/trainings?state=Failed"), "http://localhost:8180")).toBe(
      "http://localhost:8180/trainings?state=Failed",
    );
    expect(publicAddress(at("http://localhost:8180/"), "http://localhost:8180/")).toBeNull();
  });
});

it("permissions are what the API says and nothing else", () => {
  const can = canOf({ permissions: ["assistants.read"] });
  expect(can("assistants.read")).toBe(true);
  expect(can("audit.read")).toBe(false);
});
