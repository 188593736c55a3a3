import { Group, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { ApiError } from "@/api/problem";
import { keys, run as runQuery } from "@/api/queries";
import type { Run } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import { sentence, wordsFor } from "@/domain/reasons";
import { isUnderWay, toneOfRun, waitOf } from "@/domain/runs";
import { History } from "@/screens/history/History";
import { LogView } from "@/screens/logs/LogView";
import { logOf, useLog } from "@/screens/logs/useLog";
import { Ago } from "@/ui/Ago";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { NotFound } from "@/ui/NotFound";
import { Page } from "@/ui/Page";
import { ListSkeleton } from "@/ui/PageSkeleton";
import { ToneBadge } from "@/ui/Tone";
import { StopRun } from "./RunControl";

const route = getRouteApi("/runs/$id");

export function RunPage() {
  const { id } = route.useParams();
  const { data, error, refetch } = useQuery(runQuery(useApi(), id));
  if (error instanceof ApiError && error.status === 404) return <NotFound />;
  return (
    <Allowed to="runs.read">
      <Page
        title={id}
        description={data && <Summary run={data} />}
        actions={data && isUnderWay(data) && <StopRun name={data.assistant} />}
      >
        {error && <ErrorPanel error={error} onRetry={() => void refetch()} />}
        {data ? <Body run={data} /> : !error && <ListSkeleton />}
      </Page>
    </Allowed>
  );
}

function Summary({ run: { assistant, state, model_version, serving, attempt, requested_at } }: { run: Run }) {
  return (
    <Group gap="md" mt={4}>
      <span role="status">
        <ToneBadge tone={toneOfRun(state)}>{state}</ToneBadge>
      </span>
      <span>
        of{" "}
        <Link to="/assistants/$name/runs" params={{ name: assistant }}>
          {assistant}
        </Link>
      </span>
      {model_version && (
        <span>
          {serving ? "serves" : "for"} model {model_version}
        </span>
      )}
      <span>
        requested <Ago at={requested_at} />
      </span>
      {attempt > 1 && <span>attempt {attempt}</span>}
    </Group>
  );
}

function Body({ run }: { run: Run }) {
  const can = useCan();
  return (
    <Stack gap="lg">
      <div role="status">
        <Text size="sm">{waitOf(run) || `${wordsFor(run.reason)}.`}</Text>
        {run.message && (
          <Text size="xs" c="dimmed" mt={4} style={{ whiteSpace: "pre-line" }}>
            {sentence(run.message)}
          </Text>
        )}
      </div>
      {can("logs.read") && <Log id={run.id} />}
      <History items="runs" id={run.id} />
    </Stack>
  );
}

function Log({ id }: { id: string }) {
  const cache = useQueryClient();
  const path = logOf("runs", id);
  const followed = useLog(path, () => void cache.invalidateQueries({ queryKey: keys.runs }));
  return <LogView path={path} file={`${id}.log`} label="Run log" followed={followed} />;
}
