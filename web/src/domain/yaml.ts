/** An assistant as the custom resource that `kubectl apply` takes: for those who move from the web client to Git. */
import type { Assistant } from "@/api/types";

/** YAML of an Assistant with its files inline (`spec.source.files`), or with the source it has. */
export function yamlOf(assistant: Assistant, namespace: string, files: Record<string, string> | null): string {
  const lines = [
    "apiVersion: studio-operator.io/v1alpha1",
    "kind: Assistant",
    "metadata:",
    `  name: ${scalar(assistant.name)}`,
    `  namespace: ${scalar(namespace)}`,
    "spec:",
    `  language: ${scalar(assistant.language)}`,
    "  source:",
  ];
  if (!files) return `${[...lines, "    studio: {}"].join("\n")}\n`;
  lines.push("    files:");
  for (const [path, text] of Object.entries(files)) lines.push(`      ${scalar(path)}: ${block(text, 8)}`);
  return `${lines.join("\n")}\n`;
}

// Words that YAML 1.1 readers take for something else than text, such as `no` (Norwegian).
const AMBIGUOUS = /^(true|false|yes|no|on|off|y|n|null|~|[-+.\d].*)$/i;

function scalar(text: string): string {
  return /^[A-Za-z][A-Za-z0-9._/-]*$/.test(text) && !AMBIGUOUS.test(text) ? text : JSON.stringify(text);
}

/** A block literal; `|-` and `|+` keep exactly the line breaks that the file ends with. */
function block(text: string, indent: number): string {
  // Not everything can be a literal: control characters and leading spaces would need more than indentation.
  if (text === "" || /^[ \t\n]|[^\t\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]/.test(text)) return JSON.stringify(text);
  const ending = text.endsWith("\n\n") ? "+" : text.endsWith("\n") ? "" : "-";
  const body = text.replace(/\n$/, "").split("\n");
  return `|${ending}\n${body.map((line) => (line ? " ".repeat(indent) + line : "")).join("\n")}`;
}
