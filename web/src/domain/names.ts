/** The rule for names of assistants, as the API server checks it. */

export const NAME_PATTERN = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
export const NAME_MAX = 40;

/** What is wrong with a name, or null. */
export function nameProblem(name: string): string | null {
  if (!name) return "Give it a name.";
  if (name.length > NAME_MAX) return `At most ${NAME_MAX} characters; this has ${name.length}.`;
  if (!/^[a-z]/.test(name)) return "Start with a small letter.";
  if (/[^-a-z0-9]/.test(name)) return "Use small letters, digits and hyphens only.";
  return NAME_PATTERN.test(name) ? null : "End with a letter or a digit.";
}

/** A name made from what people call it: "Städte & Tours" becomes "stadte-tours". */
export function nameFrom(title: string): string {
  return title
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, NAME_MAX)
    .replace(/-+$/, "");
}
