import { describe, expect, it } from "vitest";
import { yamlOf } from "@/domain/yaml";
import { assistant } from "../support/examples";

describe("the resource as YAML", () => {
  it("names the source when there are no files to put in", () => {
    expect(yamlOf(assistant(), "dev", null)).toContain("  source:\n    studio: {}\n");
  });

  it("has files as literals with their own line ends", () => {
    const text = yamlOf(assistant(), "dev", { "a.yml": "x: 1\n", "b.yml": "x: 1", "c.yml": "x: 1\n\n" });
    expect(text).toContain("      a.yml: |\n        x: 1\n");
    expect(text).toContain("      b.yml: |-\n        x: 1\n");
    expect(text).toContain("      c.yml: |+\n        x: 1\n\n");
  });

  it("quotes what a reader would take for something else", () => {
    expect(yamlOf(assistant({ language: "no" }), "dev", null)).toContain('language: "no"');
    expect(yamlOf(assistant(), "dev", { "a.yml": " indented" })).toContain('a.yml: " indented"');
    expect(yamlOf(assistant(), "dev", { "a.yml": "tab\u0007" })).toContain('a.yml: "tab\\u0007"');
  });
});
