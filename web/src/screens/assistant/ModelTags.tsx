import { Button, Group, Pill, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import type { Model } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { failed } from "@/ui/notify";

const LONGEST = 50;
const TAG = "[A-Za-z0-9][A-Za-z0-9._\\-]*";

/** What people call a model; one with a tag is kept. */
export function ModelTags({ name, model: { version, tags = [] } }: { name: string; model: Model }) {
  const api = useApi();
  const cache = useQueryClient();
  const may = useCan()("models.tag");
  const [text, setText] = useState<string | null>(null);
  const refresh = () => cache.invalidateQueries({ queryKey: keys.models(name) });
  const path = (tag: string) => ({ params: { path: { assistant: name, version, tag } } });
  const add = useMutation({
    mutationFn: (tag: string) =>
      data(api.rest.PUT("/api/v1/assistants/{assistant}/models/{version}/tags/{tag}", path(tag))),
    onSuccess: () => setText(null),
    onError: (error) => failed("The tag was not added", error),
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: (tag: string) =>
      data(api.rest.DELETE("/api/v1/assistants/{assistant}/models/{version}/tags/{tag}", path(tag))),
    onError: (error) => failed("The tag was not taken away", error),
    onSettled: refresh,
  });
  return (
    <Group gap={6} mt={tags.length || may ? 6 : 0}>
      {tags.map((tag) => (
        <Pill
          key={tag}
          withRemoveButton={may}
          removeButtonProps={{
            "aria-label": `Take the tag ${tag} of model ${version} away`,
            "aria-hidden": false,
            tabIndex: 0,
          }}
          onRemove={() => remove.mutate(tag)}
        >
          {tag}
        </Pill>
      ))}
      {may && text === null && (
        <Button
          size="compact-xs"
          variant="subtle"
          aria-label={`Add a tag to model ${version}`}
          onClick={() => setText("")}
        >
          Add a tag
        </Button>
      )}
      {text !== null && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate(text);
          }}
        >
          <Group gap={6} wrap="nowrap">
            <TextInput
              size="xs"
              w={140}
              aria-label={`New tag of model ${version}`}
              placeholder="such as v1.0"
              pattern={TAG}
              title="Letters, digits, dots, dashes and underscores"
              maxLength={LONGEST}
              required
              autoFocus
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              onKeyDown={(event) => event.key === "Escape" && setText(null)}
            />
            <Button size="compact-xs" type="submit" variant="default" disabled={!text} loading={add.isPending}>
              Add
            </Button>
          </Group>
        </form>
      )}
    </Group>
  );
}
