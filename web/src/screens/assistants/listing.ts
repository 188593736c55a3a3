import type { Assistant } from "@/api/types";
import { healthOf, type Tone } from "@/domain/health";

const LABELS: [Tone, string][] = [
  ["good", "well"],
  ["busy", "under way"],
  ["warning", "need attention"],
  ["bad", "stopped"],
  ["idle", "at rest"],
];

/** How many assistants are in which state; states without any are left out. */
export function summary(list: Assistant[]): { tone: Tone; label: string; count: number }[] {
  const tones = list.map((assistant) => healthOf(assistant).tone);
  return LABELS.map(([tone, label]) => ({ tone, label, count: tones.filter((each) => each === tone).length })).filter(
    ({ count }) => count > 0,
  );
}

/** Assistants whose name or state has the words, by name. */
export function matching(list: Assistant[], words: string): Assistant[] {
  const wanted = words.trim().toLowerCase();
  return list
    .filter((assistant) => {
      const { label } = healthOf(assistant);
      return [assistant.name, assistant.display_name ?? "", assistant.language, label].some((text) =>
        text.toLowerCase().includes(wanted),
      );
    })
    .sort((a, b) => a.name.localeCompare(b.name));
}

const SOURCES: Record<Assistant["source"], string> = {
  studio: "edited here",
  files: "content in the resource",
  config_maps: "content from ConfigMaps",
  git: "content from Git",
};

export function sourceWords(source: Assistant["source"]): string {
  return SOURCES[source];
}
