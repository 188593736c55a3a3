import { Box, Code, CopyButton, Group, Stack, Text, Tooltip, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Assistant } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { byUrgency, healthOf, toneOf } from "@/domain/health";
import { sourceWords } from "@/screens/assistants/listing";
import { Ago } from "@/ui/Ago";
import { Section } from "@/ui/Page";
import { ToneDot } from "@/ui/Tone";
import { AssistantActions } from "./AssistantActions";
import { Now } from "./Now";
import classes from "./Overview.module.css";
import { StudioParts } from "./StudioParts";
import { useAssistant } from "./useAssistant";

export function OverviewPage() {
  const assistant = useAssistant();
  const can = useCan();
  return (
    <div className={classes.columns}>
      <Stack gap="lg" miw={0}>
        <Section title="What happens now" actions={<AssistantActions assistant={assistant} />}>
          <Now assistant={assistant} health={healthOf(assistant)} />
        </Section>
        <Section title="Conditions" flush>
          <Conditions assistant={assistant} />
        </Section>
      </Stack>
      <Stack gap="lg" miw={0}>
        <Section title="Facts">
          <Facts assistant={assistant} />
        </Section>
        {can("status.read") && (
          <Section title="Its Studio">
            <StudioParts />
          </Section>
        )}
      </Stack>
    </div>
  );
}

function Conditions({ assistant }: { assistant: Assistant }) {
  return (
    <ol className={classes.timeline}>
      {byUrgency(assistant.conditions).map((condition) => (
        <li key={condition.type} className={classes.entry}>
          <ToneDot tone={toneOf(condition)} />
          <div>
            <Group gap="xs">
              <Text fw={600} size="sm">
                {condition.type}
              </Text>
              <Text size="xs" c="dimmed">
                {condition.status === "True" ? "yes" : condition.status === "False" ? "no" : "unknown"}
              </Text>
              <Code>{condition.reason}</Code>
            </Group>
            <Text size="sm" c="dimmed" className={classes.message}>
              {condition.message}
            </Text>
          </div>
          <Text size="xs" c="dimmed" className={classes.when}>
            <Ago at={condition.last_transition_time} />
          </Text>
        </li>
      ))}
    </ol>
  );
}

function Facts({ assistant }: { assistant: Assistant }) {
  const { name, model, run, published_revision, language, source, created_at, urls, fingerprint } = assistant;
  return (
    <dl className={classes.facts}>
      <Fact label="Active model">
        {model ? (
          <Link to="/assistants/$name/models" params={{ name }}>
            model {model.version}
          </Link>
        ) : (
          "none yet"
        )}
      </Fact>
      {model && (
        <Fact label="Trained">
          <Ago at={model.trained_at} />
        </Fact>
      )}
      <Fact label="Engine">
        {run ? (
          <Link to="/runs/$id" params={{ id: run.id }}>
            {run.state}
          </Link>
        ) : (
          "not running"
        )}
      </Fact>
      <Fact label="Language">{language}</Fact>
      <Fact label="Source">{sourceWords(source)}</Fact>
      {published_revision !== null && <Fact label="Published">revision {published_revision}</Fact>}
      {fingerprint && (
        <Fact label="Fingerprint">
          <Copyable text={fingerprint} shown={fingerprint.slice(0, 12)} />
        </Fact>
      )}
      <Fact label="Created">
        <Ago at={created_at} />
      </Fact>
      {Object.entries(urls).map(([kind, url]) => (
        <Fact key={kind} label={`Address (${kind})`}>
          <Copyable text={url} shown={url.replace(/^https?:\/\//, "")} />
        </Fact>
      ))}
    </dl>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Copyable({ text, shown }: { text: string; shown: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? "Copied" : text}>
          <UnstyledButton onClick={copy} className={classes.copy}>
            <VisuallyHidden>Copy </VisuallyHidden>
            <Box component="span" className={classes.mono}>
              {shown}
            </Box>
            {copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
          </UnstyledButton>
        </Tooltip>
      )}
    </CopyButton>
  );
}
