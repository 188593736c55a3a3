import { Button, Group, Modal, Stack, Text, Textarea } from "@mantine/core";
import { IconRocket } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { done } from "@/ui/notify";

export function Publish({ name, changed, first }: { name: string; changed: boolean; first: boolean }) {
  const api = useApi();
  const cache = useQueryClient();
  const [asked, setAsked] = useState(false);
  const [message, setMessage] = useState("");
  const publish = useMutation({
    mutationFn: () =>
      data(
        api.rest.POST("/api/v1/assistants/{assistant}/content/publish", {
          params: { path: { assistant: name } },
          body: { message },
        }),
      ),
    onSuccess: ({ revision }) => {
      setAsked(false);
      setMessage("");
      done(`Revision ${revision} is published. The assistant is trained with it.`);
      void cache.invalidateQueries({ queryKey: keys.content(name) });
    },
  });
  return (
    <>
      <Button
        leftSection={<IconRocket size={17} aria-hidden />}
        disabled={!changed && !first}
        onClick={() => {
          publish.reset();
          setAsked(true);
        }}
      >
        Publish
      </Button>
      <Modal opened={asked} onClose={() => setAsked(false)} title={`Publish ${name}`}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            publish.mutate();
          }}
        >
          <Stack>
            <Text size="sm">
              The draft becomes a revision that never changes. A training starts; the present model answers until the
              new one is ready.
            </Text>
            <Textarea
              label="What has changed"
              placeholder="Answers about opening hours"
              maxLength={1000}
              autosize
              minRows={2}
              data-autofocus
              value={message}
              onChange={(event) => setMessage(event.currentTarget.value)}
            />
            {publish.error && <ErrorPanel error={publish.error} title="It was not published" />}
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setAsked(false)}>
                Cancel
              </Button>
              <Button type="submit" loading={publish.isPending}>
                Publish
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
