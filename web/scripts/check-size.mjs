// Fails when what the browser loads before the first page is shown outgrows its budget.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 300_000;
const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));

/** The chunk with everything that it imports at once, without what it loads later. */
function withImports(name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const other of manifest[name].imports ?? []) withImports(other, seen);
  return seen;
}

function zipped(chunks) {
  const files = new Set([...chunks].map((name) => manifest[name].file).filter((file) => file.endsWith(".js")));
  return [...files].reduce(
    (total, file) => total + gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length,
    0,
  );
}

const kilobytes = (size) => `${Math.round(size / 1000)} kB`;
const entry = Object.keys(manifest).find((name) => manifest[name].isEntry);
const start = withImports(entry);
const pages = manifest[entry].dynamicImports.map((name) => ({ name, size: zipped(withImports(name, new Set(start))) }));
const first = Math.max(...pages.filter(({ name }) => /AssistantsPage/.test(name)).map(({ size }) => size));
const largest = pages.reduce((a, b) => (b.size > a.size ? b : a));

console.log(
  `JavaScript, gzipped: ${kilobytes(zipped(start))} before any page, ${kilobytes(first)} with the list of assistants,`,
);
console.log(
  `at most ${kilobytes(largest.size)} with a page (${largest.name}); the editor of content comes on top when a file is opened.`,
);
const worst = Math.max(first, largest.size);
if (worst > BUDGET) {
  console.error(`error: ${kilobytes(worst)} are more than the budget of ${kilobytes(BUDGET)}: load something later.`);
  process.exit(1);
}
