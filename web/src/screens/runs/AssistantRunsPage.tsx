import { Group, Table, Text } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { runs } from "@/api/queries";
import type { Run } from "@/api/types";
import { Allowed } from "@/auth/permissions";
import { wordsFor } from "@/domain/reasons";
import { isUnderWay, toneOfRun, waitOf } from "@/domain/runs";
import { useAssistant } from "@/screens/assistant/useAssistant";
import { Ago } from "@/ui/Ago";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { Section } from "@/ui/Page";
import { ToneBadge } from "@/ui/Tone";
import { StartRun, StopRun } from "./RunControl";

export function AssistantRunsPage() {
  const { name } = useAssistant();
  const query = useQuery(runs(useApi(), name));
  return (
    <Allowed to="runs.read">
      <Section
        title="Runs"
        flush
        actions={query.data && (query.data.some(isUnderWay) ? <StopRun name={name} /> : <StartRun name={name} />)}
      >
        <Loaded query={query}>
          {(list) =>
            list.length ? (
              <Rows list={list} />
            ) : (
              <Empty icon={IconPlayerPlay} title="Nothing has run yet">
                A run starts by itself when there is a model; with mode “Never” it starts when somebody starts it.
              </Empty>
            )
          }
        </Loaded>
      </Section>
    </Allowed>
  );
}

function Rows({ list }: { list: Run[] }) {
  return (
    <Table verticalSpacing="md" horizontalSpacing="lg" miw={720}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Run</Table.Th>
          <Table.Th>Model</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Requested</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {list.map((run) => (
          <Table.Tr key={run.id}>
            <Table.Td>
              <Link to="/runs/$id" params={{ id: run.id }}>
                <Text size="sm" ff="monospace" component="span">
                  {run.id}
                </Text>
              </Link>
            </Table.Td>
            <Table.Td>{run.model_version || "–"}</Table.Td>
            <Table.Td maw={340}>
              <Group gap="xs">
                <ToneBadge tone={toneOfRun(run.state)}>{run.state}</ToneBadge>
                {run.serving && <ToneBadge tone="good">Serves</ToneBadge>}
              </Group>
              <Text size="xs" c="dimmed" mt={6} lineClamp={2}>
                {waitOf(run) || run.message || wordsFor(run.reason)}
              </Text>
            </Table.Td>
            <Table.Td>
              <Ago at={run.requested_at} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
