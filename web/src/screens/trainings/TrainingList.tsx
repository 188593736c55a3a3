import { Group, Table, Text, VisuallyHidden } from "@mantine/core";
import { IconBolt } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { type TrainingFilters, trainings } from "@/api/queries";
import type { Training } from "@/api/types";
import { wordsFor } from "@/domain/reasons";
import { span } from "@/domain/time";
import { isActive, labelOf, toneOfTraining, waitOf } from "@/domain/trainings";
import { Ago } from "@/ui/Ago";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { Section } from "@/ui/Page";
import { ToneBadge } from "@/ui/Tone";
import { CancelTraining } from "./CancelTraining";
import { MoveTraining } from "./MoveTraining";
import { TrainingProgress } from "./TrainingProgress";

interface Props {
  filters: TrainingFilters;
  withAssistant?: boolean;
}

export function TrainingList({ filters, withAssistant = false }: Props) {
  const query = useInfiniteQuery(trainings(useApi(), filters));
  return (
    <Section flush>
      <Loaded query={query}>
        {(list) =>
          list.length ? (
            <>
              <Rows list={list} withAssistant={withAssistant} />
              <More list={query} />
            </>
          ) : (
            <Empty icon={IconBolt} title="No trainings here">
              A training starts by itself when an assistant gets new content; or somebody requests one.
            </Empty>
          )
        }
      </Loaded>
    </Section>
  );
}

function Rows({ list, withAssistant }: { list: Training[]; withAssistant: boolean }) {
  return (
    <Table verticalSpacing="md" horizontalSpacing="lg" miw={760}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Training</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Requested</Table.Th>
          <Table.Th>Took</Table.Th>
          <Table.Th>
            <VisuallyHidden>Actions</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {list.map((training) => (
          <Table.Tr key={training.id}>
            <Table.Td>
              <Link to="/trainings/$id" params={{ id: training.id }}>
                <Text size="sm" ff="monospace" component="span">
                  {training.id}
                </Text>
              </Link>
              {withAssistant && (
                <Text size="xs" c="dimmed">
                  of {training.assistant}
                </Text>
              )}
            </Table.Td>
            <Table.Td maw={340}>
              <ToneBadge tone={toneOfTraining(training.state)}>{labelOf(training)}</ToneBadge>
              <Text size="xs" c="dimmed" mt={6} lineClamp={2}>
                {waitOf(training) || wordsFor(training.reason)}
                {training.state === "Failed" && training.message ? `: ${training.message}` : ""}
              </Text>
              <TrainingProgress progress={training.progress} />
            </Table.Td>
            <Table.Td>
              <Ago at={training.requested_at} />
            </Table.Td>
            <Table.Td>
              {training.started_at && training.finished_at ? span(training.started_at, training.finished_at) : "–"}
            </Table.Td>
            <Table.Td>
              <Group gap="xs" justify="flex-end" wrap="nowrap">
                <MoveTraining training={training} compact />
                {isActive(training) && <CancelTraining training={training} compact />}
              </Group>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
