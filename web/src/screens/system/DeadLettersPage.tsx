import { Accordion, Button, Code, Group, Stack, Text } from "@mantine/core";
import { IconMailOff, IconRotateClockwise } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { deadLetters, keys } from "@/api/queries";
import type { DeadLetter } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import type { Tone } from "@/domain/health";
import { wordsFor } from "@/domain/reasons";
import { Ago } from "@/ui/Ago";
import { Confirm } from "@/ui/Confirm";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { done, failed } from "@/ui/notify";
import { Section } from "@/ui/Page";
import { RefreshButton } from "@/ui/RefreshButton";
import { ToneBadge } from "@/ui/Tone";

export function DeadLettersPage() {
  const can = useCan();
  const query = useInfiniteQuery(deadLetters(useApi()));
  return (
    <Allowed to="dead_letters.read">
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          Messages that could not be stored as events. Nothing is lost: mend the cause, then replay them.
        </Text>
        <Group gap="sm">
          <RefreshButton query={query} />
          {can("dead_letters.replay") && <ReplayAll disabled={!query.data?.length} />}
        </Group>
      </Group>
      <Section flush>
        <Loaded query={query}>
          {(list) =>
            list.length ? (
              <>
                <Accordion variant="default" chevronPosition="left">
                  {list.map((letter) => (
                    <Letter key={letter.id} letter={letter} />
                  ))}
                </Accordion>
                <More list={query} />
              </>
            ) : (
              <Empty icon={IconMailOff} title="No dead letters">
                Every message of the event broker could be stored.
              </Empty>
            )
          }
        </Loaded>
      </Section>
    </Allowed>
  );
}

function stateOf(letter: DeadLetter): { tone: Tone; label: string } {
  if (letter.replayed_at) return { tone: "good", label: letter.replay_result || "Replayed" };
  if (letter.replay_requested_at) return { tone: "busy", label: "Replay requested" };
  return { tone: "warning", label: "Waiting" };
}

function Letter({ letter }: { letter: DeadLetter }) {
  const { id, topic, partition, offset, key, value, reason, detail, created_at, replayed_at } = letter;
  const { tone, label } = stateOf(letter);
  const can = useCan();
  return (
    <Accordion.Item value={String(id)}>
      <Accordion.Control>
        <Group justify="space-between" wrap="nowrap" pe="md">
          <div>
            <Text size="sm" fw={600}>
              {wordsFor(reason)}
            </Text>
            <Text size="xs" c="dimmed" ff="monospace">
              {topic} / {partition} / {offset}
            </Text>
          </div>
          <Group gap="md" wrap="nowrap">
            <ToneBadge tone={tone}>{label}</ToneBadge>
            <Text size="xs" c="dimmed">
              <Ago at={created_at} />
            </Text>
          </Group>
        </Group>
      </Accordion.Control>
      <Accordion.Panel>
        <Stack gap="sm" align="flex-start">
          <Text size="sm">{detail}</Text>
          {key !== null && (
            <Text size="sm">
              Key <Code>{key}</Code>
            </Text>
          )}
          {value !== null && (
            <Code block w="100%" mah={320} tabIndex={0} aria-label="The message">
              {pretty(value)}
            </Code>
          )}
          {can("dead_letters.replay") && !replayed_at && <ReplayOne id={id} />}
        </Stack>
      </Accordion.Panel>
    </Accordion.Item>
  );
}

/** JSON with line breaks; anything else as it is. */
function pretty(value: string): string {
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

function ReplayOne({ id }: { id: number }) {
  const api = useApi();
  const cache = useQueryClient();
  const replay = useMutation({
    mutationFn: () => data(api.rest.POST("/api/v1/dead-letters/{id}/replay", { params: { path: { id } } })),
    onSuccess: () => done("The replay is requested. Refresh in a moment to see how it went."),
    onError: (error) => failed("No replay was requested", error),
    onSettled: () => cache.invalidateQueries({ queryKey: keys.deadLetters }),
  });
  return (
    <Button
      size="xs"
      variant="light"
      leftSection={<IconRotateClockwise size={14} aria-hidden />}
      loading={replay.isPending}
      onClick={() => replay.mutate()}
    >
      Replay
    </Button>
  );
}

function ReplayAll({ disabled }: { disabled: boolean }) {
  const api = useApi();
  const cache = useQueryClient();
  const [asked, setAsked] = useState(false);
  const replay = useMutation({
    mutationFn: () => data(api.rest.POST("/api/v1/dead-letters/replay", { body: {} })),
    onSuccess: ({ requested }) => done(`${requested} replays are requested.`),
    onError: (error) => failed("No replay was requested", error),
    onSettled: () => {
      setAsked(false);
      void cache.invalidateQueries({ queryKey: keys.deadLetters });
    },
  });
  return (
    <>
      <Button
        disabled={disabled}
        leftSection={<IconRotateClockwise size={16} aria-hidden />}
        onClick={() => setAsked(true)}
      >
        Replay all
      </Button>
      <Confirm
        title="Replay all dead letters?"
        confirmLabel="Replay all"
        opened={asked}
        busy={replay.isPending}
        onCancel={() => setAsked(false)}
        onConfirm={() => replay.mutate()}
      >
        Each is read again as if it had just arrived. Events that are stored already stay single.
      </Confirm>
    </>
  );
}
