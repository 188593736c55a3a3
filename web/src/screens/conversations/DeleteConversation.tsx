import { Button } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import type { ConversationDetail } from "@/api/types";
import { Confirm } from "@/ui/Confirm";
import { done, failed } from "@/ui/notify";

export function DeleteConversation({ conversation: { id, sender_id } }: { conversation: ConversationDetail }) {
  const api = useApi();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [asked, setAsked] = useState(false);
  const remove = useMutation({
    mutationFn: () => data(api.rest.DELETE("/api/v1/conversations/{id}", { params: { path: { id } } })),
    onSuccess: async () => {
      done("The conversation is deleted.");
      await navigate({ to: "/conversations" });
      cache.removeQueries({ queryKey: keys.conversation(id) });
      void cache.invalidateQueries({ queryKey: keys.conversations });
    },
    onError: (error) => failed("The conversation was not deleted", error),
    onSettled: () => setAsked(false),
  });
  return (
    <>
      <Button variant="default" leftSection={<IconTrash size={16} aria-hidden />} onClick={() => setAsked(true)}>
        Delete
      </Button>
      <Confirm
        title="Delete this conversation for good?"
        confirmLabel="Delete conversation"
        dangerous
        opened={asked}
        busy={remove.isPending}
        onCancel={() => setAsked(false)}
        onConfirm={() => remove.mutate()}
      >
        All its events, tags and flags go from the Studio's database and do not come back. The engine's own memory of{" "}
        {sender_id} is not touched.
      </Confirm>
    </>
  );
}
