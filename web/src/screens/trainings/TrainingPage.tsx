import { Alert, Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { ApiError } from "@/api/problem";
import { keys, training as trainingQuery } from "@/api/queries";
import type { Training } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import { remedyFor, sentence, wordsFor } from "@/domain/reasons";
import { span } from "@/domain/time";
import { isActive, labelOf, toneOfTraining, waitOf } from "@/domain/trainings";
import { History } from "@/screens/history/History";
import { LogView } from "@/screens/logs/LogView";
import { logOf, useLog } from "@/screens/logs/useLog";
import { Ago } from "@/ui/Ago";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { NotFound } from "@/ui/NotFound";
import { Page } from "@/ui/Page";
import { ListSkeleton } from "@/ui/PageSkeleton";
import { ToneBadge } from "@/ui/Tone";
import { CancelTraining } from "./CancelTraining";
import { MoveTraining } from "./MoveTraining";
import { RequestTraining } from "./RequestTraining";
import { RetryTraining } from "./RetryTraining";
import { TrainingProgress } from "./TrainingProgress";

const route = getRouteApi("/trainings/$id");

export function TrainingPage() {
  const { id } = route.useParams();
  const query = useQuery(trainingQuery(useApi(), id));
  const { data, error, refetch } = query;
  if (error instanceof ApiError && error.status === 404) return <NotFound />;
  return (
    <Allowed to="trainings.read">
      <Page title={id} description={data && <Summary training={data} />} actions={data && <Actions training={data} />}>
        {error && <ErrorPanel error={error} onRetry={() => void refetch()} />}
        {data ? <Body training={data} /> : !error && <ListSkeleton />}
      </Page>
    </Allowed>
  );
}

/** What has ended without a model is repeated as it was; after a success only other content makes sense. */
function Actions({ training }: { training: Training }) {
  if (training.state === "Succeeded") return <RequestTraining name={training.assistant} />;
  if (!isActive(training)) return <RetryTraining training={training} />;
  return (
    <>
      <MoveTraining training={training} />
      <CancelTraining training={training} />
    </>
  );
}

function Summary({ training }: { training: Training }) {
  const { assistant, state, requested_at, started_at, finished_at, attempt, model_version } = training;
  return (
    <Group gap="md" mt={4}>
      <span role="status">
        <ToneBadge tone={toneOfTraining(state)}>{labelOf(training)}</ToneBadge>
      </span>
      <span>
        of{" "}
        <Link to="/assistants/$name" params={{ name: assistant }}>
          {assistant}
        </Link>
      </span>
      <span>
        requested <Ago at={requested_at} />
      </span>
      {started_at && finished_at && <span>took {span(started_at, finished_at)}</span>}
      {attempt > 1 && <span>attempt {attempt}</span>}
      {model_version && (
        <span>
          made{" "}
          <Link to="/assistants/$name/models" params={{ name: assistant }}>
            model {model_version}
          </Link>
        </span>
      )}
    </Group>
  );
}

function Body({ training }: { training: Training }) {
  const can = useCan();
  const remedy = remedyFor(training.reason);
  return (
    <Stack gap="lg">
      {training.state === "Failed" ? (
        <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={wordsFor(training.reason)}>
          <Text size="sm" style={{ whiteSpace: "pre-line" }}>
            {training.message}
          </Text>
          {remedy && (
            <Text size="sm" mt="xs" fw={550}>
              {remedy}
            </Text>
          )}
        </Alert>
      ) : (
        <div role="status">
          <Text size="sm">{waitOf(training) || `${wordsFor(training.reason)}.`}</Text>
          {training.message && (
            <Text size="xs" c="dimmed" mt={4}>
              {sentence(training.message)}
            </Text>
          )}
          <TrainingProgress progress={training.progress} />
        </div>
      )}
      {can("logs.read") && <Log id={training.id} />}
      <History items="trainings" id={training.id} />
    </Stack>
  );
}

function Log({ id }: { id: string }) {
  const cache = useQueryClient();
  const path = logOf("trainings", id);
  const followed = useLog(path, () => void cache.invalidateQueries({ queryKey: keys.trainings }));
  return <LogView path={path} file={`${id}.log`} label="Training log" followed={followed} />;
}
