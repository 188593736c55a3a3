/** A log that follows forever in bounded memory: the last lines stay, older ones are counted. */

export interface LogBuffer {
  lines: string[];
  /** Lines that were dropped from the front. */
  dropped: number;
}

export const EMPTY_LOG: LogBuffer = { lines: [], dropped: 0 };

/** The buffer with `more` at its end and at most `limit` lines. */
export function appended(log: LogBuffer, more: string[], limit: number): LogBuffer {
  if (!more.length) return log;
  const lines = [...log.lines, ...more];
  const over = Math.max(0, lines.length - limit);
  return { lines: over ? lines.slice(over) : lines, dropped: log.dropped + over };
}

/** The kept lines with their numbers in the whole log, from 1. */
export function numbered({ lines, dropped }: LogBuffer): { number: number; line: string }[] {
  return lines.map((line, place) => ({ number: dropped + place + 1, line }));
}

export type LineTone = "error" | "warning" | "plain";

/** Lines that somebody looks for are coloured. */
export function toneOfLine(line: string): LineTone {
  if (/(error|exception)\b|\b(traceback|critical|failed)\b/i.test(line)) return "error";
  return /warning\b|\bwarn\b/i.test(line) ? "warning" : "plain";
}
