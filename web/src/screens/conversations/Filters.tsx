import { Autocomplete, Button, Checkbox, NumberInput, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useApi } from "@/api/context";
import { assistants, tags } from "@/api/queries";
import { type ConversationFilters, countOf, filtersFrom } from "@/domain/filters";
import classes from "./Conversations.module.css";

interface Props {
  filters: ConversationFilters;
  onChange: (filters: ConversationFilters) => void;
}

const TYPING = 350;

/** The form of the filters; what is typed is asked for when the typing pauses. */
export function Filters({ filters, onChange }: Props) {
  const api = useApi();
  const { data: known = [] } = useQuery(assistants(api));
  const { data: allTags = [] } = useQuery(tags(api));
  const [draft, setDraft] = useState<ConversationFilters>(filters);
  const send = useDebouncedCallback((next: ConversationFilters) => onChange(filtersFrom({ ...next })), TYPING);

  useEffect(() => setDraft(filters), [filters]);

  const change = (part: ConversationFilters) => {
    const next = { ...draft, ...part };
    setDraft(next);
    send(next);
  };
  return (
    <search className={classes.filters} aria-label="Filters of conversations">
      <TextInput
        className={classes.search}
        label="Words"
        placeholder={'hello -bye "see you"'}
        leftSection={<IconSearch size={16} aria-hidden />}
        value={draft.text ?? ""}
        onChange={(event) => change({ text: event.currentTarget.value })}
      />
      <Autocomplete
        label="Assistant"
        placeholder="All"
        data={known.map(({ name }) => name).sort()}
        value={draft.assistant ?? ""}
        onChange={(assistant) => change({ assistant })}
      />
      <Select
        label="Tag"
        placeholder="All"
        data={allTags.map(({ tag, count }) => ({ value: tag, label: `${tag} (${count})` }))}
        value={draft.tag ?? null}
        onChange={(tag) => change({ tag: tag ?? undefined })}
        searchable
        clearable
        nothingFoundMessage="No such tag"
      />
      <TextInput
        label="Channel"
        placeholder="Any"
        value={draft.channel ?? ""}
        onChange={(event) => change({ channel: event.currentTarget.value })}
      />
      <Checkbox
        label="Flagged"
        mb={8}
        checked={draft.flagged ?? false}
        onChange={(event) => change({ flagged: event.currentTarget.checked || undefined })}
      />
      <TextInput
        label="From"
        type="date"
        value={draft.from ?? ""}
        onChange={(event) => change({ from: event.currentTarget.value })}
      />
      <TextInput
        label="To"
        type="date"
        value={draft.to ?? ""}
        onChange={(event) => change({ to: event.currentTarget.value })}
      />
      <TextInput
        label="Intent"
        placeholder="Any"
        value={draft.intent ?? ""}
        onChange={(event) => change({ intent: event.currentTarget.value })}
      />
      <TextInput
        label="Action"
        placeholder="Any"
        value={draft.action ?? ""}
        onChange={(event) => change({ action: event.currentTarget.value })}
      />
      <NumberInput
        label="Confidence, at least"
        placeholder="0.00"
        min={0}
        max={1}
        step={0.05}
        decimalScale={2}
        value={draft.min_confidence ?? ""}
        onChange={(value) => change({ min_confidence: value === "" ? undefined : Number(value) })}
      />
      <NumberInput
        label="Confidence, at most"
        placeholder="1.00"
        min={0}
        max={1}
        step={0.05}
        decimalScale={2}
        value={draft.max_confidence ?? ""}
        onChange={(value) => change({ max_confidence: value === "" ? undefined : Number(value) })}
      />
      {countOf(filters) > 0 && (
        <Button variant="subtle" onClick={() => onChange({})}>
          Clear {countOf(filters)} {countOf(filters) === 1 ? "filter" : "filters"}
        </Button>
      )}
    </search>
  );
}
