import { Code, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useApi } from "@/api/context";
import { status } from "@/api/queries";
import type { StudioStatus } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { byUrgency, toneOf } from "@/domain/health";
import overview from "@/screens/assistant/Overview.module.css";
import { Components, RunningSlots } from "@/screens/assistant/StudioParts";
import { Ago } from "@/ui/Ago";
import { Loaded } from "@/ui/Loaded";
import { Section } from "@/ui/Page";
import { RefreshButton } from "@/ui/RefreshButton";
import { ToneBadge, ToneDot } from "@/ui/Tone";

export function StatusPage() {
  const query = useQuery(status(useApi()));
  return (
    <>
      <Group justify="flex-end">
        <RefreshButton query={query} />
      </Group>
      <Loaded query={query}>{(studio) => <Tree studio={studio} />}</Loaded>
    </>
  );
}

function Tree({ studio }: { studio: StudioStatus }) {
  const can = useCan();
  const { ingestion } = studio;
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }} spacing="lg">
        <Figure label="Studio">
          <ToneBadge tone={studio.ready ? "good" : "warning"} size="lg">
            {studio.ready ? "Ready" : "Not ready"}
          </ToneBadge>
          <Text size="xs" c="dimmed" mt={8}>
            {studio.name} in {studio.namespace}
            {studio.version && `, version ${studio.version}`}
          </Text>
        </Figure>
        <Figure label="Assistants" value={studio.assistants ?? "–"}>
          <Link to="/assistants">Show them</Link>
        </Figure>
        <Figure label="Ingestion lag" value={ingestion.lag.toLocaleString("en")}>
          {ingestion.lag ? "events wait to be stored" : "every event is stored"}
        </Figure>
        <Figure label="Dead letters" value={ingestion.dead_letters.toLocaleString("en")}>
          {can("dead_letters.read") && ingestion.dead_letters > 0 ? (
            <Link to="/system/dead-letters">Look at them</Link>
          ) : (
            "messages that could not be stored"
          )}
        </Figure>
      </SimpleGrid>
      <div className={overview.columns}>
        <Section title="Conditions" flush>
          <ol className={overview.timeline}>
            {byUrgency(studio.conditions).map((condition) => (
              <li key={condition.type} className={overview.entry}>
                <ToneDot tone={toneOf(condition)} />
                <div>
                  <Group gap="xs">
                    <Text fw={600} size="sm">
                      {condition.type}
                    </Text>
                    <Code>{condition.reason}</Code>
                  </Group>
                  <Text size="sm" c="dimmed" className={overview.message}>
                    {condition.message}
                  </Text>
                </div>
                <Text size="xs" c="dimmed" className={overview.when}>
                  <Ago at={condition.last_transition_time} />
                </Text>
              </li>
            ))}
          </ol>
        </Section>
        <Stack gap="lg">
          <Section title="Running slots">
            <RunningSlots studio={studio} />
          </Section>
          <Section title="Parts">
            <Components studio={studio} />
          </Section>
        </Stack>
      </div>
    </Stack>
  );
}

function Figure({ label, value, children }: { label: string; value?: ReactNode; children: ReactNode }) {
  return (
    <Section>
      <Text size="sm" c="dimmed" mb={6}>
        {label}
      </Text>
      {value !== undefined && (
        <Text fz={28} fw={650} lh={1.2}>
          {value}
        </Text>
      )}
      <Text size="xs" c="dimmed" component="div">
        {children}
      </Text>
    </Section>
  );
}
