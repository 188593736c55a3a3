import { Autocomplete, Button, Group, Pill, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys, tags as tagsQuery } from "@/api/queries";
import type { ConversationDetail } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { failed } from "@/ui/notify";

const LONGEST = 50;

export function Tags({ conversation: { id, tags } }: { conversation: ConversationDetail }) {
  const api = useApi();
  const cache = useQueryClient();
  const annotates = useCan()("conversations.annotate");
  const [text, setText] = useState("");
  const { data: known = [] } = useQuery({ ...tagsQuery(api), enabled: annotates });
  const refresh = () => cache.invalidateQueries({ queryKey: keys.conversations });
  const path = (tag: string) => ({ params: { path: { id, tag } } });
  const add = useMutation({
    mutationFn: (tag: string) => data(api.rest.PUT("/api/v1/conversations/{id}/tags/{tag}", path(tag))),
    onSuccess: () => setText(""),
    onError: (error) => failed("The tag was not added", error),
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: (tag: string) => data(api.rest.DELETE("/api/v1/conversations/{id}/tags/{tag}", path(tag))),
    onError: (error) => failed("The tag was not taken away", error),
    onSettled: refresh,
  });
  return (
    <Stack gap="sm">
      {tags.length ? (
        <Group gap={6}>
          {tags.map((tag) => (
            <Pill
              key={tag}
              withRemoveButton={annotates}
              removeButtonProps={{ "aria-label": `Take the tag ${tag} away`, "aria-hidden": false, tabIndex: 0 }}
              onRemove={() => remove.mutate(tag)}
            >
              {tag}
            </Pill>
          ))}
        </Group>
      ) : (
        <Text size="sm" c="dimmed">
          No tags. {annotates && "Tags group conversations, such as “refund” or “test”."}
        </Text>
      )}
      {annotates && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim()) add.mutate(text.trim());
          }}
        >
          <Group gap="xs" wrap="nowrap">
            <Autocomplete
              flex={1}
              size="xs"
              aria-label="New tag"
              placeholder="Add a tag"
              maxLength={LONGEST}
              data={known.map(({ tag }) => tag).filter((tag) => !tags.includes(tag))}
              value={text}
              onChange={setText}
            />
            <Button size="xs" type="submit" variant="default" disabled={!text.trim()} loading={add.isPending}>
              Add
            </Button>
          </Group>
        </form>
      )}
    </Stack>
  );
}
