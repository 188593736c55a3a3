import { Group, Table, Text, TextInput, VisuallyHidden } from "@mantine/core";
import { IconPlus, IconRobot, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { assistants } from "@/api/queries";
import type { Assistant } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import { healthOf, type Tone } from "@/domain/health";
import { Ago } from "@/ui/Ago";
import { Empty } from "@/ui/Empty";
import { LinkButton } from "@/ui/LinkButton";
import { Loaded } from "@/ui/Loaded";
import { Page, Section } from "@/ui/Page";
import { ToneBadge, ToneDot } from "@/ui/Tone";
import classes from "./Assistants.module.css";
import { matching, sourceWords, summary } from "./listing";

const route = getRouteApi("/assistants");

export function AssistantsPage() {
  const can = useCan();
  const query = useQuery(assistants(useApi()));
  const create = can("assistants.create") && (
    <LinkButton to="/new" leftSection={<IconPlus size={18} aria-hidden />}>
      New assistant
    </LinkButton>
  );
  return (
    <Allowed to="assistants.read">
      <Page
        title="Assistants"
        description="What they are doing right now. Changes appear by themselves."
        actions={create}
      >
        <Loaded query={query}>{(list) => (list.length ? <List list={list} /> : <None create={create} />)}</Loaded>
      </Page>
    </Allowed>
  );
}

function None({ create }: { create: React.ReactNode }) {
  return (
    <Section>
      <Empty icon={IconRobot} title="No assistants yet">
        <span>
          {create
            ? "Create the first one here, or apply an Assistant resource with kubectl: it appears by itself."
            : "As soon as somebody creates one that you may see, it appears here by itself."}
        </span>
        {create}
      </Empty>
    </Section>
  );
}

function List({ list }: { list: Assistant[] }) {
  const { q = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const shown = matching(list, q);
  return (
    <>
      <Group justify="space-between" gap="md">
        <TextInput
          aria-label="Filter assistants"
          placeholder="Filter by name or state"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={q}
          onChange={(event) => navigate({ search: { q: event.currentTarget.value || undefined }, replace: true })}
          w={280}
        />
        <Group gap="lg" role="status">
          {summary(list).map(({ tone, label, count }) => (
            <Group key={tone} gap={8}>
              <ToneDot tone={tone} />
              <Text size="sm" c="dimmed">
                {count} {label}
              </Text>
            </Group>
          ))}
        </Group>
      </Group>
      <Section flush>
        {shown.length ? (
          <Rows list={shown} />
        ) : (
          <Empty icon={IconSearch} title={`Nothing matches “${q}”`}>
            Clear the filter to see all {list.length}.
          </Empty>
        )}
      </Section>
    </>
  );
}

function Rows({ list }: { list: Assistant[] }) {
  return (
    <Table verticalSpacing="md" horizontalSpacing="lg" highlightOnHover className={classes.table}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Assistant</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Active model</Table.Th>
          <Table.Th>Last training</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {list.map((assistant) => (
          <Row key={assistant.name} assistant={assistant} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

const TRAINING_TONES: Record<string, Tone> = { Queued: "busy", Running: "busy", Succeeded: "good", Failed: "bad" };

function Row({ assistant }: { assistant: Assistant }) {
  const { name, display_name, language, model, training } = assistant;
  const health = healthOf(assistant);
  return (
    <Table.Tr>
      <Table.Td>
        <Link to="/assistants/$name" params={{ name }} className={classes.name}>
          {display_name || name}
        </Link>
        <Text size="xs" c="dimmed">
          {display_name ? `${name} · ` : ""}
          {language} · {sourceWords(assistant.source)}
        </Text>
      </Table.Td>
      <Table.Td className={classes.state}>
        <ToneBadge tone={health.tone}>{health.label}</ToneBadge>
        <Text size="xs" c="dimmed" mt={6} lineClamp={2}>
          {health.detail}
        </Text>
      </Table.Td>
      <Table.Td>
        {model ? (
          <>
            <Text size="sm">Model {model.version}</Text>
            <Text size="xs" c="dimmed">
              trained <Ago at={model.trained_at} />
            </Text>
          </>
        ) : (
          <Text size="sm" c="dimmed">
            none yet
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        {training ? (
          <Link to="/trainings/$id" params={{ id: training.id }} className={classes.training}>
            <ToneDot tone={TRAINING_TONES[training.state] ?? "idle"} />
            {training.state === "Queued" && training.position ? `Queued, number ${training.position}` : training.state}
            <VisuallyHidden> training of {name}</VisuallyHidden>
          </Link>
        ) : (
          <Text size="sm" c="dimmed">
            none yet
          </Text>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
