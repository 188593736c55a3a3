import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";

interface Props {
  label: string;
  /** What is in the file at first; later changes come from the person alone. */
  text: string;
  path: string;
  readOnly: boolean;
  onChange: (text: string) => void;
  onSave: () => void;
}

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.content], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--code-number)" },
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)" },
]);

const look = EditorView.theme({
  "&": { flex: "1", fontSize: "13px", backgroundColor: "transparent", color: "inherit" },
  "&.cm-focused": { outline: "2px solid var(--tone-busy)", outlineOffset: "-2px" },
  ".cm-scroller": {
    fontFamily: "var(--mantine-font-family-monospace)",
    lineHeight: "1.65",
    minHeight: "470px",
    maxHeight: "70vh",
  },
  ".cm-gutters": {
    backgroundColor: "transparent",
    border: "none",
    color: "var(--mantine-color-dimmed)",
    paddingInline: "6px",
  },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--tone-busy-soft) 45%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--tone-busy)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--tone-busy) 28%, transparent)",
  },
  ".cm-panels": { backgroundColor: "var(--surface-sunken)", color: "inherit", borderColor: "var(--border)" },
  ".cm-textfield": { backgroundColor: "var(--surface)", borderColor: "var(--border)", color: "inherit" },
  ".cm-button": {
    backgroundImage: "none",
    backgroundColor: "var(--surface)",
    borderColor: "var(--border)",
    color: "inherit",
  },
});

/** A text editor with line numbers, search and the colours of YAML. Tab leaves it, as everywhere on the page. */
export function CodeEditor({ label, text, path, readOnly, onChange, onSave }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const handlers = useRef({ onChange, onSave });
  handlers.current = { onChange, onSave };

  // biome-ignore lint/correctness/useExhaustiveDependencies: the editor owns its text from the first moment on
  useEffect(() => {
    const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
    const save = () => {
      handlers.current.onSave();
      return true;
    };
    const view = new EditorView({
      parent: place.current ?? undefined,
      state: EditorState.create({
        doc: text,
        extensions: [
          EditorView.cspNonce.of(nonce),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
          EditorState.readOnly.of(readOnly),
          EditorState.tabSize.of(2),
          indentUnit.of("  "),
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          bracketMatching(),
          indentOnInput(),
          search({ top: true }),
          /\.ya?ml$/.test(path) ? yaml() : [],
          syntaxHighlighting(colours),
          look,
          keymap.of([
            { key: "Mod-s", run: save, preventDefault: true },
            ...searchKeymap,
            ...historyKeymap,
            ...defaultKeymap,
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) handlers.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    return () => view.destroy();
  }, []);
  return <div ref={place} style={{ display: "flex", flex: 1, minWidth: 0 }} />;
}
