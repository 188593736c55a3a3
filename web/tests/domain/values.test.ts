import { describe, expect, it } from "vitest";
import { pathProblem, treeOf } from "@/domain/files";
import { countOf, filtersFrom, queryOf } from "@/domain/filters";
import { appended, EMPTY_LOG, numbered, toneOfLine } from "@/domain/log";
import { nameFrom, nameProblem } from "@/domain/names";
import { sentence, wordsFor } from "@/domain/reasons";
import { ago, bytes, span } from "@/domain/time";

describe("names", () => {
  it.each(["a", "concert-hall", "a1", "a".repeat(40)])("takes %s", (name) => expect(nameProblem(name)).toBeNull());

  it.each([
    ["", "Give it a name."],
    ["Hall", "Start with a small letter."],
    ["1st", "Start with a small letter."],
    ["my_bot", "Use small letters, digits and hyphens only."],
    ["bot-", "End with a letter or a digit."],
    ["a".repeat(41), "At most 40 characters; this has 41."],
  ])("refuses %s", (name, why) => expect(nameProblem(name)).toBe(why));

  it.each([
    ["Concert Hall", "concert-hall"],
    ["Städte & Tours!", "stadte-tours"],
    ["2 Guides", "guides"],
    ["???", ""],
  ])("makes one of %s", (title, name) => expect(nameFrom(title)).toBe(name));

  it("makes nothing that it would refuse", () => {
    expect(nameProblem(nameFrom(`${"a".repeat(39)} b`))).toBeNull();
  });
});

describe("files", () => {
  it("are a tree with folders first", () => {
    const [data, config] = treeOf(["config.yml", "data/nlu.yml", "data/a/b.yml"]);
    expect(config).toMatchObject({ path: "config.yml", children: null });
    expect(data?.children?.map(({ path }) => path)).toEqual(["data/a", "data/nlu.yml"]);
  });

  it("may be added where there is none", () => expect(pathProblem("data/rules.yml", ["config.yml"])).toBeNull());

  it.each(["", "/x.yml", "a//b.yml", "../x.yml", "a b.yml", ".a.yml", "notes.txt", "config.yml"])(
    "refuses the path %s",
    (path) => expect(pathProblem(path, ["config.yml"])).not.toBeNull(),
  );
});

describe("filters", () => {
  it("leave out what makes no sense", () => {
    expect(filtersFrom({ intent: " ", max_confidence: "7", min_confidence: 0.2, flagged: "yes", tag: 12 })).toEqual({
      min_confidence: 0.2,
      tag: "12",
    });
  });

  it("ask for whole days", () => {
    const { from, to } = queryOf({ from: "2026-11-20", to: "2026-11-20" });
    expect(Date.parse(to ?? "") - Date.parse(from ?? "")).toBe(86_400_000);
    expect(queryOf({ from: "yesterday" }).from).toBeUndefined();
  });

  it("are counted", () => expect(countOf({ tag: "x", text: undefined })).toBe(1));
});

describe("logs", () => {
  it("keep their last lines and count the others", () => {
    const log = appended(appended(EMPTY_LOG, ["1", "2"], 3), ["3", "4"], 3);
    expect(log).toEqual({ lines: ["2", "3", "4"], dropped: 1 });
    expect(numbered(log)[0]).toEqual({ number: 2, line: "2" });
  });

  it("stay the same object when nothing comes", () => expect(appended(EMPTY_LOG, [], 3)).toBe(EMPTY_LOG));

  it("colour what somebody looks for", () => {
    expect(toneOfLine("ValueError: no")).toBe("error");
    expect(toneOfLine("12:00 ERROR no")).toBe("error");
    expect(toneOfLine("Epochs: 1/30, 0 errors")).toBe("plain");
    expect(toneOfLine("io.py:99: UserWarning: x")).toBe("warning");
  });
});

describe("times and sizes", () => {
  const now = Date.parse("2026-11-21T08:00:00Z");

  it.each([
    ["2026-11-21T07:59:50Z", "just now"],
    ["2026-11-21T07:57:00Z", "3 minutes ago"],
    ["2026-11-20T07:00:00Z", "yesterday"],
  ])("%s is %s", (at, words) => expect(ago(at, now)).toBe(words));

  it("tell spans", () => {
    expect(span("2026-11-21T07:58:40Z", "2026-11-21T08:00:00Z")).toBe("1 min 20 s");
    expect(span("2026-11-21T06:58:00Z", now)).toBe("1 h 2 min");
    expect(span("2026-11-21T08:00:05Z", now)).toBe("0 s");
  });

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_400_000, "1.4 MB"],
    [45_000, "45 kB"],
  ])("%d bytes are %s", (size, words) => expect(bytes(size)).toBe(words));
});

it("spells out a reason that it does not know", () => {
  expect(wordsFor("InvalidContent")).toBe("The engine refuses the content");
  expect(wordsFor("SomethingVeryNew")).toBe("Something very new");
  expect(wordsFor("too_large")).toBe("Too large");
});

it.each([
  ["the engine trains", "The engine trains."],
  ["0/1 nodes are available!", "0/1 nodes are available!"],
])("%s reads as a sentence", (message, read) => {
  expect(sentence(message)).toBe(read);
});
