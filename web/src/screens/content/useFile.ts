import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { useApi } from "@/api/context";
import { ApiError } from "@/api/problem";
import { keys } from "@/api/queries";
import { readFile, writeFile } from "./fileApi";
import { forget, recall, remember } from "./unsaved";

export interface OpenFile {
  /** Null until it is loaded. */
  text: string | null;
  /** Counts readings from outside: the editor starts anew with each. */
  version: number;
  dirty: boolean;
  saving: boolean;
  error: unknown;
  /** Somebody else has changed the file since it was read. */
  conflict: boolean;
  edit: (text: string) => void;
  save: () => Promise<void>;
  /** Writes over what somebody else has written. */
  overwrite: () => Promise<void>;
  /** Reads the file again and drops what was typed. */
  reload: () => Promise<void>;
}

/** One file of the draft while it is edited. */
export function useFile(name: string, path: string): OpenFile {
  const api = useApi();
  const cache = useQueryClient();
  const [text, setText] = useState<string | null>(null);
  const [etag, setEtag] = useState<string | null>(null);
  const [version, setVersion] = useState(0);
  const [dirty, setDirty] = useState(false);
  const [saving, setSaving] = useState(false);
  const [conflict, setConflict] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const load = useCallback(
    async (signal?: AbortSignal) => {
      setError(null);
      try {
        const found = await readFile(api, name, path, signal);
        const unsaved = recall(name, path);
        if (signal?.aborted) return;
        setText(unsaved?.text ?? found.text);
        setEtag(unsaved?.etag ?? found.etag);
        setDirty(unsaved !== null);
        setConflict(unsaved !== null && unsaved.etag !== found.etag);
        setVersion((count) => count + 1);
      } catch (problem) {
        if (!signal?.aborted) setError(problem);
      }
    },
    [api, name, path],
  );

  useEffect(() => {
    const stop = new AbortController();
    void load(stop.signal);
    return () => stop.abort();
  }, [load]);

  const edit = useCallback(
    (next: string) => {
      setText(next);
      setDirty(true);
      remember(name, path, { text: next, etag });
    },
    [name, path, etag],
  );

  const write = useCallback(
    async (tag: string | null) => {
      if (text === null) return;
      setSaving(true);
      setError(null);
      try {
        setEtag(await writeFile(api, name, path, text, tag));
        setDirty(false);
        setConflict(false);
        forget(name, path);
        void cache.invalidateQueries({ queryKey: keys.content(name) });
      } catch (problem) {
        if (problem instanceof ApiError && problem.status === 412) setConflict(true);
        else setError(problem);
      } finally {
        setSaving(false);
      }
    },
    [api, cache, name, path, text],
  );

  const reload = useCallback(() => {
    forget(name, path);
    return load();
  }, [load, name, path]);

  const save = useCallback(() => write(etag), [write, etag]);
  const overwrite = useCallback(() => write(null), [write]);
  return { text, version, dirty, saving, error, conflict, edit, save, overwrite, reload };
}
