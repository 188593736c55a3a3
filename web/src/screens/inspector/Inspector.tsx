import { ActionIcon, Group, Progress, Stack, Text, Title, Tooltip } from "@mantine/core";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { TrackerEvent } from "@/api/types";
import { clockTime } from "@/domain/time";
import {
  changedSlots,
  entitiesOf,
  rankingOf,
  type Slots,
  shown,
  slotsAfterEach,
  summaryOf,
  type Turn,
  turnsOf,
} from "@/domain/tracker";
import classes from "./Inspector.module.css";

interface Props {
  events: TrackerEvent[];
  /** Number of the turn to show, from 0. */
  turn: number;
  onTurn: (turn: number) => void;
}

/** What the engine made of one turn: intents, entities, events, and the slots as they were after it. */
export function Inspector({ events, turn, onTurn }: Props) {
  const turns = turnsOf(events);
  const current = turns[turn];
  if (!current) return null;
  const slots = slotsAfterEach(events);
  const first = events.indexOf(current.events[0] as TrackerEvent);
  const before = slots[first - 1] ?? {};
  const after = slots[first + current.events.length - 1] ?? {};
  return (
    <Stack gap="lg">
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" fw={600} truncate>
          {current.message ? `“${current.message.text}”` : "Before the first message"}
        </Text>
        <Group gap={4} wrap="nowrap">
          <ActionIcon variant="default" aria-label="Turn before" disabled={turn === 0} onClick={() => onTurn(turn - 1)}>
            <IconChevronLeft size={16} aria-hidden />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label="Turn after"
            disabled={turn === turns.length - 1}
            onClick={() => onTurn(turn + 1)}
          >
            <IconChevronRight size={16} aria-hidden />
          </ActionIcon>
        </Group>
      </Group>
      {current.message && <Understood message={current.message} />}
      <SlotTable before={before} after={after} />
      <Events turn={current} slots={slots.slice(first, first + current.events.length)} />
    </Stack>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <Title order={3} size="xs" c="dimmed" mb={8}>
        {title}
      </Title>
      {children}
    </section>
  );
}

const MOST_INTENTS = 5;

function Understood({ message }: { message: TrackerEvent }) {
  const ranking = rankingOf(message).slice(0, MOST_INTENTS);
  const entities = entitiesOf(message);
  return (
    <>
      <Part title="Intents">
        {ranking.length ? (
          <Stack gap={8}>
            {ranking.map(({ name, confidence }, place) => (
              <div key={name}>
                <Group justify="space-between" gap="xs" wrap="nowrap">
                  <Text size="sm" ff="monospace" fw={place ? 400 : 600} truncate>
                    {name}
                  </Text>
                  <Text size="sm" c="dimmed" className={classes.number}>
                    {confidence.toFixed(2)}
                  </Text>
                </Group>
                <Progress
                  size={6}
                  value={confidence * 100}
                  color={place ? "gray.5" : "brand"}
                  aria-label={`Confidence of ${name}`}
                />
              </div>
            ))}
          </Stack>
        ) : (
          <Text size="sm" c="dimmed">
            Nothing was classified.
          </Text>
        )}
      </Part>
      {entities.length > 0 && (
        <Part title="Entities">
          <Group gap={6}>
            {entities.map((entity) => (
              <span key={`${entity.entity} ${entity.start} ${shown(entity.value)}`} className={classes.entity}>
                <span>{entity.role ? `${entity.entity}:${entity.role}` : entity.entity}</span>
                <strong>{shown(entity.value)}</strong>
              </span>
            ))}
          </Group>
        </Part>
      )}
    </>
  );
}

function SlotTable({ before, after }: { before: Slots; after: Slots }) {
  const changed = changedSlots(before, after);
  const names = Object.keys({ ...before, ...after }).sort();
  return (
    <Part title="Slots after this turn">
      {names.length ? (
        <dl className={classes.slots}>
          {names.map((name) => (
            <div key={name} className={classes.slot} data-changed={changed.has(name) ? "" : undefined}>
              <dt>{name}</dt>
              <dd>
                {shown(after[name])}
                {changed.has(name) && <span className={classes.was}>was {shown(before[name])}</span>}
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        <Text size="sm" c="dimmed">
          None is set.
        </Text>
      )}
    </Part>
  );
}

function Events({ turn, slots }: { turn: Turn; slots: Slots[] }) {
  return (
    <Part title="Events">
      <ol className={classes.events}>
        {turn.events.map((event, index) => (
          <li key={event.seq} className={classes.event}>
            <Tooltip label={`Slots then: ${slotWords(slots[index] ?? {})}`}>
              <span className={classes.type} data-type={event.type}>
                {event.type.replaceAll("_", " ")}
              </span>
            </Tooltip>
            <span className={classes.what}>{summaryOf(event)}</span>
            <time dateTime={event.at} className={classes.time}>
              {clockTime(event.at)}
            </time>
          </li>
        ))}
      </ol>
    </Part>
  );
}

function slotWords(slots: Slots): string {
  const set = Object.entries(slots).filter(([, value]) => value !== null);
  return set.length ? set.map(([name, value]) => `${name} = ${shown(value)}`).join(", ") : "none";
}
