/**
 * Text that was typed and not saved, kept for the life of the tab: a session that ends, or a reload, loses nothing.
 */

export interface Unsaved {
  text: string;
  /** The tag of the file that was edited, so that a conflict is noticed later, too. */
  etag: string | null;
}

const key = (name: string, path: string) => `unsaved:${name}/${path}`;

export function recall(name: string, path: string): Unsaved | null {
  const found = sessionStorage.getItem(key(name, path));
  return found ? (JSON.parse(found) as Unsaved) : null;
}

export function remember(name: string, path: string, unsaved: Unsaved): void {
  try {
    sessionStorage.setItem(key(name, path), JSON.stringify(unsaved));
  } catch {
    // The quota of the browser is used up: the text stays on the page alone.
  }
}

export function forget(name: string, path: string): void {
  sessionStorage.removeItem(key(name, path));
}
