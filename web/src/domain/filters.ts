/** Filters of the conversation list: what stands in the address, and what the API is asked. */

export interface ConversationFilters {
  assistant?: string;
  from?: string;
  to?: string;
  intent?: string;
  action?: string;
  channel?: string;
  tag?: string;
  flagged?: boolean;
  text?: string;
  min_confidence?: number;
  max_confidence?: number;
}

const TEXTS = ["assistant", "from", "to", "intent", "action", "channel", "tag", "text"] as const;
const CONFIDENCES = ["min_confidence", "max_confidence"] as const;

/** Filters from an address: what makes no sense is left out rather than sent. */
export function filtersFrom(search: Record<string, unknown>): ConversationFilters {
  const filters: ConversationFilters = {};
  for (const name of TEXTS) {
    const value = search[name];
    if (typeof value === "string" && value.trim()) filters[name] = value;
    else if (typeof value === "number") filters[name] = String(value);
  }
  for (const name of CONFIDENCES) {
    const value = Number(search[name]);
    if (search[name] !== undefined && search[name] !== "" && value >= 0 && value <= 1) filters[name] = value;
  }
  if (search.flagged === true || search.flagged === "true") filters.flagged = true;
  return filters;
}

/** What the API is asked: days of the form become points in time that include the whole last day, local time. */
export function queryOf(filters: ConversationFilters): ConversationFilters {
  return { ...filters, from: instant(filters.from, 0), to: instant(filters.to, 1) };
}

function instant(day: string | undefined, daysLater: number): string | undefined {
  const parts = day?.match(/^(\d{4})-(\d{2})-(\d{2})$/);
  if (!parts) return undefined;
  return new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]) + daysLater).toISOString();
}

export function countOf(filters: ConversationFilters): number {
  return Object.values(filters).filter((value) => value !== undefined).length;
}
