import { Button, Checkbox, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconFlag } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import type { ConversationDetail, Flag } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { Ago } from "@/ui/Ago";
import { failed } from "@/ui/notify";

interface Props {
  conversation: ConversationDetail;
  /** The message of the turn that is inspected: a new flag may be about it. */
  eventSeq: number | null;
}

export function Flags({ conversation: { id, flag_list, events }, eventSeq }: Props) {
  const annotates = useCan()("conversations.annotate");
  return (
    <Stack gap="md">
      {flag_list.length ? (
        flag_list.map((flag) => (
          <FlagItem
            key={flag.id}
            conversation={id}
            flag={flag}
            about={events.find(({ seq }) => seq === flag.event_seq)?.text ?? null}
            resolvable={annotates}
          />
        ))
      ) : (
        <Text size="sm" c="dimmed">
          No flags. {annotates && "Flag what somebody should look at."}
        </Text>
      )}
      {annotates && <NewFlag id={id} eventSeq={eventSeq} />}
    </Stack>
  );
}

interface ItemProps {
  conversation: number;
  flag: Flag;
  about: string | null;
  resolvable: boolean;
}

function FlagItem({ conversation, flag, about, resolvable }: ItemProps) {
  const api = useApi();
  const cache = useQueryClient();
  const resolve = useMutation({
    mutationFn: () =>
      data(
        api.rest.DELETE("/api/v1/conversations/{id}/flags/{flag_id}", {
          params: { path: { id: conversation, flag_id: flag.id } },
        }),
      ),
    onError: (error) => failed("The flag was not resolved", error),
    onSettled: () => cache.invalidateQueries({ queryKey: keys.conversations }),
  });
  return (
    <Group justify="space-between" wrap="nowrap" align="flex-start">
      <div>
        <Text size="sm" fw={550} td={flag.resolved_at ? "line-through" : undefined}>
          {flag.reason}
        </Text>
        {about && (
          <Text size="xs" c="dimmed">
            about “{about}”
          </Text>
        )}
        <Text size="xs" c="dimmed">
          {flag.created_by}, <Ago at={flag.created_at} />
          {flag.resolved_at && `; resolved by ${flag.resolved_by}`}
        </Text>
      </div>
      {resolvable && !flag.resolved_at && (
        <Button
          flex="none"
          size="compact-xs"
          variant="default"
          loading={resolve.isPending}
          onClick={() => resolve.mutate()}
        >
          Resolve
        </Button>
      )}
    </Group>
  );
}

function NewFlag({ id, eventSeq }: { id: number; eventSeq: number | null }) {
  const api = useApi();
  const cache = useQueryClient();
  const [reason, setReason] = useState("");
  const [aboutTurn, setAboutTurn] = useState(true);
  const add = useMutation({
    mutationFn: () =>
      data(
        api.rest.POST("/api/v1/conversations/{id}/flags", {
          params: { path: { id } },
          body: { reason: reason.trim(), event_seq: aboutTurn ? eventSeq : null },
        }),
      ),
    onSuccess: () => setReason(""),
    onError: (error) => failed("The flag was not set", error),
    onSettled: () => cache.invalidateQueries({ queryKey: keys.conversations }),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (reason.trim()) add.mutate();
      }}
    >
      <Group gap="xs" wrap="nowrap">
        <TextInput
          flex={1}
          size="xs"
          aria-label="Reason of a new flag"
          placeholder="What is wrong?"
          maxLength={500}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <Button
          size="xs"
          type="submit"
          variant="default"
          leftSection={<IconFlag size={14} aria-hidden />}
          disabled={!reason.trim()}
          loading={add.isPending}
        >
          Flag
        </Button>
      </Group>
      {eventSeq !== null && (
        <Checkbox
          mt="xs"
          size="xs"
          label="About the message in the inspector"
          checked={aboutTurn}
          onChange={(event) => setAboutTurn(event.currentTarget.checked)}
        />
      )}
    </form>
  );
}
