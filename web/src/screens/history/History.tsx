import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useApi } from "@/api/context";
import { transitions } from "@/api/queries";
import type { Items, Transition } from "@/api/types";
import { wordsFor } from "@/domain/reasons";
import { exact } from "@/domain/time";
import { Loaded } from "@/ui/Loaded";
import { Section } from "@/ui/Page";

/** Who changed a training or a run, when, and why; the oldest first. */
export function History({ items, id }: { items: Items; id: string }) {
  const query = useQuery(transitions(useApi(), items, id));
  return (
    <Section title="History" flush>
      <Loaded query={query}>{(list) => <Entries list={list} />}</Loaded>
    </Section>
  );
}

function Entries({ list }: { list: Transition[] }) {
  return (
    <Table verticalSpacing="sm" horizontalSpacing="lg" miw={760}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>When</Table.Th>
          <Table.Th>Who</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Why</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {list.map((entry, number) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: entries are only ever added at the end
          <Table.Tr key={number}>
            <Table.Td>{exact(entry.at)}</Table.Td>
            <Table.Td>{entry.who}</Table.Td>
            <Table.Td>{stepOf(entry)}</Table.Td>
            <Table.Td>
              <Text size="sm">{wordsFor(entry.reason)}</Text>
              {entry.message && (
                <Text size="xs" c="dimmed" lineClamp={3}>
                  {entry.message}
                </Text>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

/** "Queued → Running", or the one state in which something else changed. */
function stepOf({ from_state, to_state }: Transition): string {
  return from_state && from_state !== to_state ? `${from_state} → ${to_state}` : to_state;
}
