import { Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { IconMessageCircle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, Outlet } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { ApiError } from "@/api/problem";
import { assistant as assistantQuery } from "@/api/queries";
import type { Assistant } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import { healthOf } from "@/domain/health";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { LinkButton } from "@/ui/LinkButton";
import { NotFound } from "@/ui/NotFound";
import { ListSkeleton } from "@/ui/PageSkeleton";
import { ToneBadge } from "@/ui/Tone";
import classes from "./AssistantLayout.module.css";

const route = getRouteApi("/assistants/$name");

export function AssistantLayout() {
  const { name } = route.useParams();
  const query = useQuery(assistantQuery(useApi(), name));
  useDocumentTitle(`${name} · Studio`);
  if (query.error instanceof ApiError && query.error.status === 404) return <NotFound />;
  return (
    <Allowed to="assistants.read">
      <div className={classes.layout}>
        <Head name={name} assistant={query.data} />
        {query.error && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
        {query.data ? <Outlet /> : !query.error && <ListSkeleton />}
      </div>
    </Allowed>
  );
}

function Head({ name, assistant }: { name: string; assistant: Assistant | undefined }) {
  const can = useCan();
  const health = assistant && healthOf(assistant);
  return (
    <header>
      <Group justify="space-between" align="flex-start" mb="md">
        <Stack gap={4}>
          <Text size="sm" c="dimmed">
            <Link to="/assistants" className={classes.back}>
              Assistants
            </Link>{" "}
            / {name}
          </Text>
          <Group gap="md">
            <Title order={1} size="h2">
              {assistant?.display_name || name}
            </Title>
            <span role="status">
              {health ? (
                <ToneBadge tone={health.tone}>{health.label}</ToneBadge>
              ) : (
                <Skeleton w={90} h={24} radius="xl" />
              )}
            </span>
          </Group>
        </Stack>
        {can("chat.use") && (
          <LinkButton
            to="/assistants/$name/try"
            params={{ name }}
            variant="light"
            leftSection={<IconMessageCircle size={18} aria-hidden />}
          >
            Try it
          </LinkButton>
        )}
      </Group>
      <Tabs name={name} assistant={assistant} />
    </header>
  );
}

const TABS = [
  { to: "/assistants/$name", label: "Overview", needs: "assistants.read" },
  { to: "/assistants/$name/content", label: "Content", needs: "content.read" },
  { to: "/assistants/$name/trainings", label: "Trainings", needs: "trainings.read" },
  { to: "/assistants/$name/models", label: "Models", needs: "models.read" },
  { to: "/assistants/$name/runs", label: "Runs", needs: "runs.read" },
  { to: "/assistants/$name/try", label: "Try it", needs: "chat.use" },
] as const;

function Tabs({ name, assistant }: { name: string; assistant: Assistant | undefined }) {
  const can = useCan();
  const shown = TABS.filter(
    ({ to, needs }) => can(needs) && (assistant?.source === "studio" || !to.endsWith("/content")),
  );
  return (
    <nav aria-label={`Parts of ${name}`} className={classes.tabs}>
      {shown.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          params={{ name }}
          className={classes.tab}
          activeOptions={{ exact: label === "Overview", includeSearch: false }}
        >
          {label}
        </Link>
      ))}
      {can("conversations.read") && (
        <Link to="/conversations" search={{ assistant: name }} className={classes.tab}>
          Conversations
        </Link>
      )}
    </nav>
  );
}
