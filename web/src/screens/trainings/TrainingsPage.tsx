import { Group, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { assistants } from "@/api/queries";
import { Allowed } from "@/auth/permissions";
import { STATES } from "@/domain/trainings";
import { Page } from "@/ui/Page";
import { TrainingList } from "./TrainingList";

const route = getRouteApi("/trainings");

export function TrainingsPage() {
  const { assistant, state } = route.useSearch();
  const navigate = route.useNavigate();
  const { data: all = [] } = useQuery(assistants(useApi()));
  return (
    <Allowed to="trainings.read">
      <Page
        title="Trainings"
        description="The queue and its history. Waiting trainings start as soon as a trainer is free."
      >
        <Group>
          <Select
            aria-label="Assistant"
            placeholder="All assistants"
            data={all.map(({ name }) => name).sort()}
            value={assistant ?? null}
            onChange={(value) => navigate({ search: { assistant: value ?? undefined, state }, replace: true })}
            searchable
            clearable
          />
          <Select
            aria-label="State"
            placeholder="All states"
            data={STATES}
            value={state ?? null}
            onChange={(value) =>
              navigate({ search: { assistant, state: STATES.find((each) => each === value) }, replace: true })
            }
            clearable
          />
        </Group>
        <TrainingList filters={{ assistant, state }} withAssistant />
      </Page>
    </Allowed>
  );
}
